"""Whom a company without agents contacts, by what it can see: habits to compare the agents with."""

from __future__ import annotations

import numpy as np

from crm_agents.simulator.contacts import reachable
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.forward import LivingCompany

YEAR_DAYS, REST_DAYS, FIFTHS = 365, 30, 5


class Habit:
    """A rep's habit: the same number of contacts a day as the agents make, nobody twice within 30 days.

    Parameters
    ----------
    name : str
        ``usual``: the best customers first, by recency, frequency and value (RFM: fifths of each, added up; ties by
        value). ``random``: customers of the last year by lot. ``none``: nobody.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.last_contact = np.full(0, -(10**6))

    def choose(self, company: LivingCompany, count: int) -> np.ndarray:
        """Return `count` customers to contact on the next day (fewer when there are no more)."""
        traits, state = company.simulation.traits, company.simulation.state
        day, customers = company.day + 1, len(traits)
        rested = np.append(self.last_contact, np.full(customers - len(self.last_contact), -(10**6)))
        recency, frequency, value = rfm(company)
        everybody = np.arange(customers)
        allowed = (frequency > 0) & (day - rested >= REST_DAYS) & reachable(traits, state.takes_mail, everybody)
        candidates = np.flatnonzero(allowed)
        if self.name == "usual":
            score = sum(_fifths(measure[candidates]) for measure in (-recency, frequency, value))
            order = np.lexsort((candidates, -value[candidates], -np.asarray(score)))
        else:
            order = day_stream(company.history.seed, day, "habit").permutation(len(candidates))
        chosen = candidates[order[: 0 if self.name == "none" else count]]
        rested[chosen] = day
        self.last_contact = rested
        return np.sort(chosen)


def rfm(company: LivingCompany) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return days since the last order, orders and revenue of the last year, for each customer."""
    it, customers = company.ledger, len(company.simulation.traits)
    last = np.full(customers, -(10**6))
    np.maximum.at(last, it.customer, it.day)
    recent = it.day > company.day - YEAR_DAYS
    frequency = np.bincount(it.customer[recent], minlength=customers)
    value = np.bincount(it.customer[recent], it.net_cents[recent], customers)
    return company.day - last, frequency, value


def _fifths(measure: np.ndarray) -> np.ndarray:
    """Return 0 to 4: in which fifth of the customers each one lies."""
    rank = np.empty(len(measure), dtype=np.int64)
    rank[np.argsort(measure, kind="stable")] = np.arange(len(measure))
    return rank * FIFTHS // max(len(measure), 1)
