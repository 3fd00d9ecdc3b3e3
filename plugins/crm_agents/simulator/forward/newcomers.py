"""Who comes after the history: persons and firms by themselves, leads, and firms that leads became.

Arrivals do not depend on what the company does to its customers, so they are the same in every world of a seed.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np

from crm_agents.simulator import columns, leads, population
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.forward.world import arrivals_a_day, organisations_a_day
from crm_agents.simulator.leads import CONVERTED, LOST, Leads
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import World

FAR = 2**40  # seconds: after everything


def new_leads(world: World, history: Parameters, known: Leads, day: int) -> Leads:
    """Return the leads that come on `day`, with how each will end."""
    rng = day_stream(history.seed, day, "leads")
    second = (columns.epoch_day(world.parameters.first_on) + day) * DAY
    a_day = 1.25 * history.customers * history.leads_per_customer / history.days  # beta(1.25, 1) at its end
    count = int(rng.poisson(a_day))
    created = np.sort(second + rng.integers(7 * 3600, 22 * 3600, count))
    return leads.draw_leads(world.team, known.first_number + len(known.created), created, FAR, count, rng)


def converted_on(world: World, known: Leads, was_open: np.ndarray, day: int) -> np.ndarray:
    """Return the numbers of the leads that become customers on `day`; `was_open` leaves out those of the history."""
    second = (columns.epoch_day(world.parameters.first_on) + day) * DAY
    return np.flatnonzero(known.will_convert & was_open & (known.closed >= second) & (known.closed < second + DAY))


def arrivals(
    world: World, history: Parameters, known: Leads, converted: np.ndarray, first_number: int, day: int
) -> Traits:
    """Return the customers who come on `day`, by time: persons, firms, and the firms that leads became."""
    rng = day_stream(history.seed, day, "arrivals")
    firms = int(rng.poisson(organisations_a_day(history)))
    persons = int(rng.poisson(arrivals_a_day(history) * (1 - history.organisation_share)))
    second = (columns.epoch_day(world.parameters.first_on) + day) * DAY
    by_themselves = second + (np.clip(rng.normal(14, 3.5, firms + persons), 6, 22.9) * 3600).astype(np.int64)
    created = np.concatenate([known.closed[converted], by_themselves])
    lead = np.concatenate([converted, np.full(firms + persons, -1)])
    is_organisation = np.arange(len(created)) < len(converted) + firms
    order = np.argsort(created, kind="stable")
    return population.describe(
        history, world.team, known, first_number, created[order], lead[order], is_organisation[order], rng
    )


def open_leads(known: Leads) -> np.ndarray:
    """Return which leads of the history were still open on its last day."""
    return (known.status != CONVERTED) & (known.status != LOST)


def join_leads(known: Leads, more: Leads) -> Leads:
    """Return all leads; numbers go on."""
    names = [item.name for item in fields(Leads) if item.name != "first_number"]
    both: dict[str, Any] = {name: np.concatenate([getattr(known, name), getattr(more, name)]) for name in names}
    return replace(known, **both)


def some_leads(known: Leads, numbers: np.ndarray) -> Leads:
    """Return some leads, numbered anew from 0."""
    names = [item.name for item in fields(Leads) if item.name != "first_number"]
    chosen: dict[str, Any] = {name: getattr(known, name)[numbers] for name in names}
    return replace(known, **chosen)
