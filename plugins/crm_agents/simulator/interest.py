"""How customers become interested, lose interest, and leave."""

from __future__ import annotations

import numpy as np

from crm_agents.simulator.state import NATURAL, NO_PURCHASE, Simulation, plan, take_due

BEAT_STEEPNESS = 0.55  # of the Hill curve by which a regular buyer's appetite comes back after a purchase
BEAT_HEIGHT = 2.0
MEAN_OPEN_APPETITE = 1.15  # makes up for the days on which a customer is interested already
FADING_VISITS = 0.5
CALL_INBOUND_SHARE = 0.12  # of interests, times phone affinity


def become_interested(simulation: Simulation, day: int) -> None:
    """Start the interests of the day: by appetite, beat, season and mood, and of newcomers who came for something."""
    state, traits, parameters = simulation.state, simulation.traits, simulation.world.parameters
    known = int(state.known[day])
    before = int(state.known[day - 1]) if day else 0
    rate = traits.purchase_rate[:known]
    expected = rate * (day - state.last_purchase[:known])  # purchases due since the last one
    beat = np.where(traits.is_regular[:known], BEAT_HEIGHT * expected**2 / (BEAT_STEEPNESS + expected**2), 1)
    season = simulation.world.demand[day].take(traits.segment[:known])
    scale = MEAN_OPEN_APPETITE / parameters.interest_becomes_purchase
    chance = rate * beat * season * state.openness[:known] * scale / (1 + state.grievance[:known])
    starts = simulation.chance(known, "interest") < chance
    newcomers = np.arange(before, known)
    starts[before:] |= simulation.chance(newcomers, "first interest") < parameters.first_interest_share
    start_interest(simulation, day, np.flatnonzero(starts))


def start_interest(simulation: Simulation, day: int, customers: np.ndarray) -> None:
    """Let customers (each named once) look around from today, and plan when that ends in an order or in nothing."""
    state, traits, draws, parameters = (
        simulation.state,
        simulation.traits,
        simulation.draws,
        simulation.world.parameters,
    )
    customers = customers[~state.is_interested[customers] & ~state.is_gone[customers]]
    if not len(customers):
        return
    state.is_interested[customers] = True
    state.openness[customers] = 0
    state.visiting[customers] = traits.web[customers] * parameters.visits_in_interest
    length = 1 + draws.gamma(2.0, parameters.days_of_interest / 2, customers, "length of interest")
    length = np.minimum(length, parameters.longest_interest)
    length = np.where(simulation.chance(customers, "impulse") < parameters.impulse_share, 0, length).astype(np.int64)
    buys = simulation.chance(customers, "purchase") < parameters.interest_becomes_purchase
    cause = np.where(buys, NATURAL, NO_PURCHASE)
    plan(state.purchases, day + length, customers, cause.astype(np.int32))
    inbound = simulation.chance(customers, "inbound call") < CALL_INBOUND_SHARE * traits.phone[customers]
    simulation.log.add("calls", customer=customers[inbound], day=day, is_inbound=True)


def end_interest(simulation: Simulation, customers: np.ndarray) -> None:
    """Let customers be open to something new again."""
    state, parameters = simulation.state, simulation.world.parameters
    state.is_interested[customers] = False
    fading = state.is_fading[customers]
    state.openness[customers] = np.where(fading, parameters.fading_appetite, 1)
    quiet = simulation.traits.web[customers] * parameters.visits_otherwise
    state.visiting[customers] = np.where(fading, quiet * FADING_VISITS, quiet)


def lose_interest(simulation: Simulation, day: int) -> None:
    """Draw who begins to lose interest in the company today; grievance hastens it."""
    state = simulation.state
    known = int(state.known[day])
    hazard = state.churn_hazard[:known] * (1 + simulation.world.parameters.churn_by_grievance * state.grievance[:known])
    start_fading(simulation, day, np.flatnonzero(simulation.chance(known, "fading") < hazard))


def start_fading(simulation: Simulation, day: int, customers: np.ndarray) -> None:
    """Let customers lose interest from today and plan the day on which they are gone."""
    state, parameters = simulation.state, simulation.world.parameters
    customers = np.unique(customers[~state.is_fading[customers]])
    if not len(customers):
        return
    state.is_fading[customers] = True
    state.churn_hazard[customers] = 0
    state.fading_day[customers] = day
    state.openness[customers] = np.where(state.is_interested[customers], 0, parameters.fading_appetite)
    state.visiting[customers] *= FADING_VISITS
    leaving = day + simulation.draws.integers(*parameters.fading_days, customers, "leaving")
    state.churn_day[customers] = leaving
    plan(state.departures, leaving, customers)


def leave(simulation: Simulation, day: int) -> None:
    """Let those go whose day has come: no interest, visit or order follows."""
    state = simulation.state
    for gone in take_due(state.departures, day):
        gone = gone[state.churn_day[gone] == day]  # not those who were won back meanwhile
        state.is_gone[gone] = True
        state.openness[gone] = 0
        state.visiting[gone] = 0
        state.is_interested[gone] = False
