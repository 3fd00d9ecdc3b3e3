"""What the company does towards its customers: newsletters, campaigns, calls, and what they bring about."""

from __future__ import annotations

import numpy as np

from crm_agents.simulator import marketing
from crm_agents.simulator.interest import start_interest
from crm_agents.simulator.state import Simulation, plan

GONE_OPEN_RATE = 0.05  # of mails to customers who left: some still look
FADING_OPEN_RATE = 0.25
WORKING_DAYS = 250
WORKING_DAY_ACCEPTANCE = 0.5  # of organisations: above on working days only


def contact(
    simulation: Simulation, day: int, customers: np.ndarray, action: int, effect: float, cause: int
) -> np.ndarray:
    """Carry out a marketing action on customers: plan the extra orders that it causes.

    Parameters
    ----------
    action : int
        Place in `marketing.ACTIONS`.
    effect : float
        Extra orders per customer of mean response within the outcome days.
    cause : int
        Number from 0 on by which the orders are known afterwards (campaigns use theirs).

    Returns
    -------
    numpy.ndarray
        The true probability of an extra order, for each customer.
    """
    here = ~simulation.state.is_gone[customers]
    probability = marketing.order_probability(simulation.traits, customers, action, effect) * here
    buyers = customers[simulation.chance(customers, f"contact {cause}") < probability]
    last = simulation.world.parameters.outcome_days - 1
    ordering = day + simulation.draws.integers(1, last, buyers, f"order of contact {cause}")
    plan(simulation.state.purchases, ordering, buyers, np.full(len(buyers), cause, dtype=np.int32))
    return probability


def send_newsletter(simulation: Simulation, day: int) -> None:
    """Mail everybody who agreed and has shown a sign within the sunset days; a click may start an interest."""
    state, parameters = simulation.state, simulation.world.parameters
    if day % parameters.newsletter_every != parameters.newsletter_every - 1:
        return
    readers = np.flatnonzero(_may_be_written(simulation, day, state.takes_mail))
    opened, clicked, unsubscribed = read_mail(simulation, day, readers)
    simulation.log.add("mails", customer=readers, day=day, opened=opened, clicked=clicked, unsubscribed=unsubscribed)
    is_curious = clicked & (simulation.chance(readers, "curious reader") < parameters.click_starts_interest)
    start_interest(simulation, day, readers[is_curious])


def run_campaigns(simulation: Simulation, day: int) -> None:
    """Run the campaigns that start today: members and arms by lot, contacts to the treated only."""
    campaigns, traits, state = simulation.world.campaigns, simulation.traits, simulation.state
    for campaign in np.flatnonzero(campaigns.day == day).tolist():
        channel, action = int(campaigns.channel[campaign]), int(campaigns.action[campaign])
        consent = state.takes_mail if channel == marketing.EMAIL else traits.consents[:, channel]
        allowed = _may_be_written(simulation, day, consent)
        drawn = simulation.chance(len(allowed), "campaign") < simulation.world.parameters.campaign_share
        members = np.flatnonzero(allowed & drawn)
        treated = simulation.chance(members, "arm") < campaigns.treated_share[campaign]
        probability = np.zeros(len(members))
        probability[treated] = contact(
            simulation, day, members[treated], action, float(campaigns.effect[campaign]), campaign
        )
        read = np.zeros((3, len(members)), dtype=bool)
        if channel == marketing.EMAIL:
            read[:, treated] = read_mail(simulation, day, members[treated])
        simulation.log.add(
            "members", customer=members, campaign=campaign, treated=treated, opened=read[0], clicked=read[1],
            unsubscribed=read[2], probability=probability,
        )  # fmt: skip


def call_firms(simulation: Simulation, day: int) -> None:
    """Let reps call organisations on working days; a call now and then starts an interest."""
    world, state, traits = simulation.world, simulation.state, simulation.traits
    if world.acceptance[day, 1] < WORKING_DAY_ACCEPTANCE:
        return
    firms = state.organisations[: np.searchsorted(state.organisations, state.known[day])]
    called = simulation.chance(firms, "outbound call") < world.parameters.calls_a_year / WORKING_DAYS
    customers = firms[called & ~state.is_gone[firms] & traits.consents[firms, marketing.PHONE]]
    simulation.log.add("calls", customer=customers, day=day, is_inbound=False)
    is_curious = simulation.chance(customers, "curious firm") < world.parameters.call_starts_interest
    start_interest(simulation, day, customers[is_curious])


def _may_be_written(simulation: Simulation, day: int, consent: np.ndarray) -> np.ndarray:
    known = int(simulation.state.known[day])
    is_fresh = day - simulation.state.last_seen[:known] < simulation.world.parameters.mail_sunset_days
    return consent[:known] & is_fresh


def read_mail(simulation: Simulation, day: int, readers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return who opens, clicks and unsubscribes; interest shows in all three before it shows in orders."""
    state, parameters = simulation.state, simulation.world.parameters
    is_interested, is_fading = state.is_interested[readers], state.is_fading[readers]
    care = np.where(is_fading, FADING_OPEN_RATE, np.where(is_interested, 1.3, 1.0))
    care = np.where(state.is_gone[readers], GONE_OPEN_RATE, care)
    opened = simulation.chance(readers, "open") < parameters.mail_open_rate * simulation.traits.mail[readers] * care
    clicked = opened & (simulation.chance(readers, "click") < parameters.mail_click_rate * (1 + is_interested))
    weary = parameters.unsubscribe_rate * (1 + 4 * is_fading + 2 * state.grievance[readers])
    unsubscribed = simulation.chance(readers, "unsubscribe") < weary
    state.last_seen[readers[opened]] = day
    state.takes_mail[readers[unsubscribed]] = False
    state.unsubscribed_day[readers[unsubscribed]] = day
    return opened, clicked, unsubscribed
