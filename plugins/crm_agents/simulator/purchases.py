"""Planned purchases become orders: weekday, channel, delivery promised and kept or not."""

from __future__ import annotations

import numpy as np

from crm_agents.simulator.columns import draw_by_shares
from crm_agents.simulator.interest import end_interest, start_fading
from crm_agents.simulator.state import NATURAL, Simulation, plan, take_due
from crm_agents.simulator.words import WEAK_REGION

ORDER_CHANNELS = ("web", "store", "phone")
WEB, STORE, PHONE = range(3)
CHANNEL_SHARES_PERSONS = (0.62, 0.3, 0.08)
CHANNEL_SHARES_ORGANISATIONS = (0.5, 0.1, 0.4)
PROMISED_DAYS, PROMISED_DAYS_ORGANISATIONS = 3, 5
LATEST_DAYS = 12


def buy(simulation: Simulation, day: int) -> None:
    """Place the orders that are due today; on a bad weekday some are put off to the next day."""
    state, world = simulation.state, simulation.world
    due = take_due(state.purchases, day)
    if not due:
        return
    customers, cause = due
    here = ~state.is_gone[customers]
    customers, cause = customers[here], cause[here]
    acceptance = world.acceptance[day].take(simulation.traits.is_organisation[customers])
    # Nobody's campaign order is put off, so that the campaign's whole effect falls within the outcome days.
    is_put_off = (cause == NATURAL) & (simulation.chance(customers, "weekday") >= acceptance)
    plan(state.purchases, np.full(int(is_put_off.sum()), day + 1), customers[is_put_off], cause[is_put_off])
    end_interest(simulation, customers[(cause <= NATURAL) & ~is_put_off])
    buys = (cause >= NATURAL) & ~is_put_off
    _place_orders(simulation, day, customers[buys], cause[buys])


def _place_orders(simulation: Simulation, day: int, customers: np.ndarray, cause: np.ndarray) -> None:
    state, world, log = simulation.state, simulation.world, simulation.log
    parameters, count = world.parameters, len(customers)
    organisation = simulation.traits.is_organisation[customers]
    channel = draw_by_shares(
        simulation.chance(customers, "channel"), CHANNEL_SHARES_PERSONS, CHANNEL_SHARES_ORGANISATIONS, organisation
    )
    if parameters.drift and parameters.drift.channel_gone and day >= world.drift_day:
        channel[channel == ORDER_CHANNELS.index(parameters.drift.channel_gone)] = WEB
    is_cancelled = simulation.chance(customers, "cancelled") < parameters.cancelled_share
    promised, delivery, is_late = _delivery(simulation, day, customers, channel)
    number = log.order_count + np.arange(count)
    log.add(
        "orders", customer=customers, day=day, cause=cause, channel=channel, is_cancelled=is_cancelled,
        promised_days=promised, delivery_days=delivery, is_late=is_late, grievance=state.grievance[customers],
    )  # fmt: skip
    state.last_purchase[customers] = day
    state.last_seen[customers] = day
    np.add.at(state.orders, customers, 1)
    comes = ~is_cancelled
    plan(state.deliveries, day + delivery[comes] + 1, customers[comes], number[comes], is_late[comes])
    drop = parameters.dropout_after_purchase * (1 + state.grievance[customers])
    start_fading(simulation, day, customers[simulation.chance(customers, "dropout") < drop])


def _delivery(
    simulation: Simulation, day: int, customers: np.ndarray, channel: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return promised days, days until delivery, and whether that is late."""
    traits, parameters, draws = simulation.traits, simulation.world.parameters, simulation.draws
    is_high = simulation.world.is_high_season[day]
    late_share = parameters.late_share_high_season if is_high else parameters.late_share
    weak = parameters.weak_region_late * (traits.region[customers] == WEAK_REGION)
    is_late = (simulation.chance(customers, "late") < late_share + weak) & (channel != STORE)
    organisation = traits.is_organisation[customers]
    promised = np.where(organisation, PROMISED_DAYS_ORGANISATIONS, PROMISED_DAYS)
    in_time = np.minimum(1 + draws.poisson(1.2, customers, "delivery") + organisation, promised)
    late = promised + draws.integers(1, LATEST_DAYS, customers, "lateness")
    return promised, np.where(channel == STORE, 0, np.where(is_late, late, in_time)), is_late
