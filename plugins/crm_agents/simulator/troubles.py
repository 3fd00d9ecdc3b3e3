"""What goes wrong: late parcels, defects and tickets, and the grievance that they leave."""

from __future__ import annotations

import numpy as np

from crm_agents.simulator.state import Simulation, take_due

CATEGORIES = ("delivery", "quality", "billing", "account", "question")
DELIVERY, QUALITY, BILLING, ACCOUNT, QUESTION = range(5)
HURT = np.array([0.25, 0.5, 0.2, 0.1, 0.02])  # grievance of a ticket, by category, when it is answered at once
RESPONSE_HOURS, RESOLVE_HOURS, LONGEST_RESPONSE_HOURS = 8.8, 28.6, 120
SURVEY_EVERY, SURVEY_SHARE = 91, 0.03


def receive(simulation: Simulation, day: int) -> None:
    """Parcels of yesterday leave a grievance and bring tickets when they are late or defect; some tickets come anyway."""
    state, draws, parameters = simulation.state, simulation.draws, simulation.world.parameters
    due = take_due(state.deliveries, day)
    if due:
        customers, order, is_late = due
        np.add.at(state.grievance, customers[is_late], np.float32(parameters.grievance_of_lateness))
        is_defect = simulation.chance(customers, "defect") < parameters.defect_share
        chance = np.where(is_late, parameters.ticket_when_late, parameters.ticket_share)
        chance = np.where(is_defect, parameters.ticket_when_defect, chance)
        opens = simulation.chance(customers, "ticket") < chance
        kinds, shares = (DELIVERY, QUALITY, BILLING, QUESTION), (0.15, 0.15, 0.3, 0.4)
        other = draws.choice(kinds, shares, customers, "kind of ticket")
        category = np.where(is_defect, QUALITY, np.where(is_late, DELIVERY, other))
        _open_tickets(simulation, day, customers[opens], category[opens], order[opens])
    known = int(state.known[day])
    anybody = draws.lot(known, parameters.tickets_a_day, "ticket of anybody")
    anybody = np.unique(anybody[~state.is_gone[anybody]])
    category = draws.choice((BILLING, ACCOUNT, QUESTION), (0.3, 0.4, 0.3), anybody, "kind of anybody's ticket")
    _open_tickets(simulation, day, anybody, category, np.full(len(anybody), -1))


def _open_tickets(
    simulation: Simulation, day: int, customers: np.ndarray, category: np.ndarray, order: np.ndarray
) -> None:
    grievance, draws = simulation.state.grievance, simulation.draws
    response = draws.gamma(1.1, RESPONSE_HOURS / 1.1, customers, "response") + 0.2
    response = np.minimum(response, LONGEST_RESPONSE_HOURS)
    resolve = response + draws.gamma(1.3, RESOLVE_HOURS / 1.3, customers, "resolution")
    hurt = HURT[category] * (1 + resolve / 48)  # slow answers hurt more
    simulation.log.add(
        "tickets", customer=customers, day=day, category=category, order=order, response_hours=response,
        resolve_hours=resolve, grievance=grievance[customers] + hurt,
    )  # fmt: skip
    np.add.at(grievance, customers, hurt.astype(np.float32))


def survey(simulation: Simulation, day: int) -> None:
    """Ask some active customers each quarter whether they would recommend the company."""
    if day % SURVEY_EVERY != SURVEY_EVERY - 1:
        return
    state = simulation.state
    known = int(state.known[day])
    asked = np.flatnonzero((simulation.chance(known, "survey") < SURVEY_SHARE) & ~state.is_gone[:known])
    simulation.log.add("surveys", customer=asked, day=day, grievance=state.grievance[asked])
