"""Deals that begin after the history: which firms begin one on a day, and those of converted leads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from crm_agents.simulator import columns, opportunities
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.opportunities import WON, Opportunities
from crm_agents.simulator.state import Simulation

YEAR = 365.25


def new_deals(simulation: Simulation, day: int, usual_amount: float) -> Opportunities:
    """Return the deals that begin on `day`, from first stage to end.

    What a deal would be like is drawn for every firm, so that the same firm's deal is the same in every world.
    """
    world, traits, state = simulation.world, simulation.traits, simulation.state
    p, firms = world.parameters, np.flatnonzero(traits.is_organisation)
    second = (columns.epoch_day(p.first_on) + day) * DAY
    is_from_lead = (traits.lead[firms] >= 0) & (traits.created_day[firms] == day)
    rng = day_stream(p.seed, day, "deals")
    created = np.maximum(second + rng.integers(7 * 3600, 18 * 3600, len(firms)), traits.created[firms])
    drawn = opportunities.draw_deals(
        world, traits, firms, created, np.where(is_from_lead, traits.lead[firms], -1), rng, usual_amount
    )
    appetite = 0.6 + 0.4 * traits.purchase_rate[firms] * YEAR / p.purchases_a_year
    begins = (simulation.chance(firms, "deal") < p.deals_a_year * appetite / YEAR) & ~state.is_gone[firms]
    return some(drawn, np.flatnonzero(begins | is_from_lead))


def some(deals: Opportunities, numbers: np.ndarray) -> Opportunities:
    """Return some deals, numbered anew from 0."""
    chosen: dict[str, Any] = {name: getattr(deals, name)[numbers] for name in _arrays()}
    return replace(deals, **chosen)


def join(known: Opportunities, more: Opportunities) -> Opportunities:
    """Return all deals; numbers go on."""
    both: dict[str, Any] = {name: np.concatenate([getattr(known, name), getattr(more, name)]) for name in _arrays()}
    return replace(known, **both)


def won_on(deals: Opportunities, first_second: int) -> np.ndarray:
    """Return the numbers of the deals that are won on the day that begins at `first_second`."""
    return np.flatnonzero((deals.outcome == WON) & (deals.closed >= first_second) & (deals.closed < first_second + DAY))


def _arrays() -> list[str]:
    return [item.name for item in fields(Opportunities) if item.name != "first_number"]
