"""What all customers share, and who they are, for days after the history."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import numpy as np

from crm_agents.simulator import catalogue, marketing, population, season, team
from crm_agents.simulator.chunk import Story, draws_of, live
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.marketing import Campaigns
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import State, World

LONGEST_DAYS = 1096  # the days that a company can be moved forward: prices, seasons and campaigns are known so far


def history(parameters: Parameters) -> tuple[World, Story]:
    """Live through the history once more, as `build_company` did: the same parameters give the same story."""
    from crm_agents.simulator.build import build_world

    world = build_world(parameters)
    return extended(world), live(world, 0, draws_of(world, 0))


def extended(world: World) -> World:
    """Return the world with its seasons, prices and campaigns for `LONGEST_DAYS` more, the history's unchanged."""
    p = world.parameters
    days = p.days + LONGEST_DAYS
    longer = replace(p, years=days / 365.25, end_on=p.end_on + timedelta(days=LONGEST_DAYS))
    return World(
        parameters=longer,
        catalogue=catalogue.build_catalogue(p, season.year_of_day(p, days), world.drift_day),
        team=team.build_team(p),
        campaigns=_more_campaigns(world.campaigns, p, days),
        demand=season.demand(p, days),
        acceptance=season.weekday_acceptance(p, days),
        is_high_season=season.is_high_season(p, days),
        drift_day=world.drift_day if p.drift else days,
    )


def _more_campaigns(known: Campaigns, p: Parameters, days: int) -> Campaigns:
    """Return the calendar of campaigns with those after the history, at the same pace."""
    rng = day_stream(p.seed, 0, "campaigns")
    after = int(known.day[-1]) + p.campaign_every if len(known.day) else max(p.days, p.campaign_first_day)
    day = np.arange(after, days, p.campaign_every)
    place = len(known.day) + np.arange(len(day))
    action = place % len(marketing.ACTIONS)
    effect = rng.uniform(*p.campaign_effect, len(day))
    if p.campaign_without_effect:
        effect[place % p.campaign_without_effect == p.campaign_without_effect - 1] = 0
    channel = np.array(marketing.CHANNELS_OF_ACTION)[action, rng.integers(3, size=len(day))]
    treated = np.resize(np.array(p.campaign_treated), len(place) + len(known.day))[len(known.day) :]
    more = Campaigns(day, action, channel, treated, effect)
    return Campaigns(
        *(np.concatenate([getattr(known, item.name), getattr(more, item.name)]) for item in fields(Campaigns))
    )


def join_traits(known: Traits, arrivals: Traits) -> Traits:
    """Return the customers with those who have come; numbers in the arrays go on, `first_number` is that of the first."""
    names = [item.name for item in fields(Traits) if item.name != "first_number"]
    both = {name: np.concatenate([getattr(known, name), getattr(arrivals, name)]) for name in names}
    return Traits(first_number=known.first_number, **both)


def join_states(state: State, traits: Traits, parameters: Parameters, day: int) -> None:
    """Make room in the state for the customers of `traits` beyond those it has; they are known from `day` on."""
    before = len(state.openness)
    fresh = State.new(traits, parameters)
    for item in fields(State):
        value = getattr(fresh, item.name)
        if isinstance(value, np.ndarray) and item.name not in ("known", "organisations"):
            setattr(state, item.name, np.concatenate([getattr(state, item.name), value[before:]]))
    state.organisations = np.flatnonzero(traits.is_organisation)
    if len(state.known) <= day:
        state.known = np.append(state.known, np.full(day + 1 - len(state.known), before))
    state.known[day] = len(traits)


def arrivals_a_day(p: Parameters) -> float:
    """Return how many customers come a day at the end of the history (see `population._arrivals`)."""
    density = (1 + p.growth_of_arrivals) / (1 + p.growth_of_arrivals / 2)
    return p.customers * (1 - p.founding_share) * density / p.days


def organisations_a_day(p: Parameters) -> float:
    """Return how many of those are organisations that no lead became."""
    return arrivals_a_day(p) * population.organisation_places(p, p.customers) / p.customers / 2


def some_traits(traits: Traits, places: np.ndarray) -> Traits:
    """Return copies of some customers."""
    names = [item.name for item in fields(Traits) if item.name != "first_number"]
    return Traits(first_number=traits.first_number, **{name: getattr(traits, name)[places] for name in names})
