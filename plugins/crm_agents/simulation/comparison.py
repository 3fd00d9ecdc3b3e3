"""What the worlds came to: revenue, contacts, customers lost, deals won, and how sure the differences are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from crm_agents.simulation.worlds import Worlds
from crm_agents.simulator.forward import LivingCompany
from crm_agents.simulator.opportunities import WON

RESAMPLES = 2000
CONFIDENCE = 0.95
BLOCK = 200  # resamples at once: keeps memory small
FEWEST_DIFFERING = 50


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; `differing` customers are not the same in both worlds."""

    value: float
    low: float
    high: float
    differing: int

    @property
    def is_enough(self) -> bool:
        """Tell whether so many customers differ that resampling them says something."""
        return self.differing >= FEWEST_DIFFERING

    @property
    def excludes_zero(self) -> bool:
        """Tell whether the whole interval lies on one side of zero."""
        return self.is_enough and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Outcome:
    """What one world came to since its first simulated day (money in currency units)."""

    name: str
    customers: int
    revenue: float
    contact_cost: float
    contacts: int
    expected_extra_orders: float
    customers_lost: int
    active_at_start: int
    deals_closed: int
    deals_won: int
    deal_revenue: float

    @property
    def after_cost(self) -> float:
        """Revenue less the cost of contacts."""
        return self.revenue - self.contact_cost

    @property
    def churn(self) -> float:
        """Share of the customers active at the start who have left."""
        return self.customers_lost / self.active_at_start if self.active_at_start else 0.0

    @property
    def win_rate(self) -> float:
        """Share of the deals closed that were won."""
        return self.deals_won / self.deals_closed if self.deals_closed else 0.0


def outcome(worlds: Worlds, name: str) -> Outcome:
    """Add up one world since the first simulated day."""
    it, first = worlds.companies[name], worlds.first_day
    customers = len(it.simulation.traits)
    (lost, active), (won, closed) = losses(it, first), wins(it, first)
    return Outcome(
        name=name,
        customers=customers,
        revenue=float(it.ledger.revenue(first, customers).sum()),
        contact_cost=it.contacts.cost_cents / 100,
        contacts=it.contacts.made,
        expected_extra_orders=it.contacts.expected_orders,
        customers_lost=int(lost.sum()),
        active_at_start=int(active.sum()),
        deals_closed=int(closed.sum()),
        deals_won=int(won.sum()),
        deal_revenue=float(it.ledger.revenue(first, customers, deals=True).sum()),
    )


def losses(company: LivingCompany, first_day: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each customer whether they left since `first_day`, and whether they were there then (0 or 1)."""
    state = company.simulation.state
    left = state.is_gone & (state.churn_day >= first_day)
    active = (company.simulation.traits.created_day < first_day) & (~state.is_gone | left)
    return (left & active).astype(float), active.astype(float)


def wins(company: LivingCompany, first_day: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each customer how many of their deals were won since `first_day`, and how many were closed."""
    deals, customers = company.deals, len(company.simulation.traits)
    closed = (deals.closed >= company.second_of(first_day)) & (deals.closed < company.second_of(company.day + 1))
    won = np.bincount(deals.customer[closed & (deals.outcome == WON)], minlength=customers)
    return won.astype(float), np.bincount(deals.customer[closed], minlength=customers).astype(float)


def rate_difference(
    worlds: Worlds, other: str, events: Callable[[LivingCompany, int], tuple[np.ndarray, np.ndarray]]
) -> Interval:
    """Return how much higher the share of `events` (hits and cases of each customer) is in the agents' world than in `other`."""
    mine, theirs = (events(company, worlds.first_day) for company in (worlds.agents, worlds.companies[other]))
    return bootstrap_rates(mine, theirs, worlds.agents.history.seed)


def bootstrap_rates(mine: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray], seed: int) -> Interval:
    """Return hits / cases of `mine` less those of `theirs`, with a bootstrap interval over customers (Poisson(1) weights)."""
    rng = np.random.default_rng(seed)
    columns = np.stack([*mine, *theirs], axis=1)
    columns = columns[columns.any(axis=1)]

    def difference(sums: np.ndarray) -> np.ndarray:
        hits, cases = sums[..., 0::2], np.maximum(sums[..., 1::2], 1)
        rates = hits / cases
        return rates[..., 0] - rates[..., 1]

    draws = [difference(rng.poisson(1.0, (BLOCK, len(columns))) @ columns) for _ in range(RESAMPLES // BLOCK)]
    low, high = np.quantile(np.concatenate(draws), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    differing = int((mine[0] != theirs[0]).sum())
    return Interval(float(difference(columns.sum(axis=0))), float(low), float(high), differing)


def revenue_difference(worlds: Worlds, other: str, *, until_day: int | None = None) -> Interval:
    """Return how much more the agents' world brought than world `other`, contact costs deducted in both.

    The interval is a bootstrap over customers, each with what they brought in both worlds: they share their luck, so most
    of it cancels. The difference in costs is known, not estimated.
    """
    mine, theirs = worlds.agents, worlds.companies[other]
    per_customer = _revenue(mine, worlds.first_day, until_day) - _revenue(theirs, worlds.first_day, until_day)
    spent = (mine.contacts.cost_cents - theirs.contacts.cost_cents) / 100 if until_day is None else 0.0
    return bootstrap_total(per_customer, mine.history.seed, offset=-spent)


def bootstrap_total(values: np.ndarray, seed: int, offset: float = 0.0) -> Interval:
    """Return the sum of `values`, plus `offset`, and its bootstrap interval.

    Weights are Poisson(1), which is as good as drawing with replacement.
    """
    rng = np.random.default_rng(seed)
    changed = values[values != 0]  # the others add nothing to any resample
    totals = [rng.poisson(1.0, (BLOCK, len(changed))) @ changed for _ in range(RESAMPLES // BLOCK)]
    low, high = np.quantile(np.concatenate(totals), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(values.sum()) + offset, float(low) + offset, float(high) + offset, len(changed))


def _revenue(company: LivingCompany, first_day: int, until_day: int | None) -> np.ndarray:
    it, customers = company.ledger, len(company.simulation.traits)
    chosen = (it.day >= first_day) & ~it.is_deal
    if until_day is not None:
        chosen &= it.day <= until_day
    return np.bincount(it.customer[chosen], it.net_cents[chosen], customers) / 100
