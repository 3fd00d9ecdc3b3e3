"""Worlds in step: equal contacts, habits that follow their rule, and differences with honest intervals."""

from __future__ import annotations

import numpy as np
import pytest

from crm_agents.simulation.comparison import (
    bootstrap_rates,
    bootstrap_total,
    losses,
    outcome,
    rate_difference,
    revenue_difference,
    wins,
)
from crm_agents.simulation.policy import Habit, rfm
from crm_agents.simulation.worlds import TITLES, TWINS, Worlds
from crm_agents.simulator import Parameters
from crm_agents.simulator.contacts import probability
from crm_agents.simulator.marketing import CALL

PARAMETERS = Parameters(customers=500, years=1, seed=6)


@pytest.fixture(scope="module")
def month() -> Worlds:
    """Thirty days in which the agents know the truth and contact those on whom it has most effect."""
    worlds = Worlds(PARAMETERS)
    for _ in range(30):
        it = worlds.agents
        chances = probability(it.simulation, it.contacts, it.day + 1, np.arange(len(it.simulation.traits)), CALL)
        worlds.step({CALL: np.argsort(-chances, kind="stable")[:5]})
    return worlds


def test_every_habit_makes_as_many_contacts_on_the_same_days(month: Worlds) -> None:
    by_day = month.agents.contacts.by_day
    assert sum(by_day.values()) > 50
    assert month.companies["usual"].contacts.by_day == by_day
    assert month.companies["random"].contacts.by_day == by_day
    assert month.companies["none"].contacts.made == 0


def test_worlds_differ_by_their_contacts_only(month: Worlds) -> None:
    customers = {name: len(company.simulation.traits) for name, company in month.companies.items()}
    assert len(set(customers.values())) == 1
    assert revenue_difference(month, "agents").value == 0
    assert month.agents.contacts.expected_orders > 2 * month.companies["random"].contacts.expected_orders


def test_outcomes_add_up(month: Worlds) -> None:
    for name in TITLES:
        it = outcome(month, name)
        ledger = month.companies[name].ledger
        mine = (ledger.day >= month.first_day) & ~ledger.is_deal
        assert it.revenue == pytest.approx(ledger.net_cents[mine].sum() / 100)
        assert it.after_cost == it.revenue - it.contact_cost
        assert 0 <= it.customers_lost <= it.active_at_start
        assert 0 <= it.deals_won <= it.deals_closed
    for name in TWINS:
        difference = revenue_difference(month, name)
        assert difference.value == pytest.approx(outcome(month, "agents").after_cost - outcome(month, name).after_cost)
        assert difference.low < difference.value < difference.high


def test_the_usual_habit_takes_the_best_and_nobody_twice() -> None:
    worlds = Worlds(PARAMETERS)
    company, habit = worlds.companies["usual"], Habit("usual")
    first = habit.choose(company, 20)
    recency, frequency, value = rfm(company)
    assert len(first) == 20
    assert value[first].mean() > 2 * value[frequency > 0].mean()
    assert recency[first].max() < np.median(recency[frequency > 0])
    company.step()
    assert not set(first) & set(habit.choose(company, 20))
    assert set(Habit("random").choose(company, 20)) != set(first)


def test_the_interval_covers_and_narrows() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        drawn = rng.normal(1.0, 5.0, 400) * (rng.random(400) < 0.3)
        interval = bootstrap_total(drawn, trial)
        covered += interval.low <= 0.3 * 400 <= interval.high
    assert 180 <= covered <= 198
    nothing = bootstrap_total(np.zeros(10), 1, offset=-3.0)
    assert (nothing.value, nothing.low, nothing.high) == (-3, -3, -3)
    assert not nothing.excludes_zero  # nobody differs: nothing can be told
    assert bootstrap_total(np.ones(100), 1).excludes_zero
    assert not bootstrap_total(np.ones(3), 1).excludes_zero


def test_rate_intervals_cover_the_true_difference_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for trial in range(200):
        cases = rng.poisson(1.5, 400).astype(float)
        mine, theirs = (rng.binomial(cases.astype(int), share).astype(float) for share in (0.35, 0.30))
        interval = bootstrap_rates((mine, cases), (theirs, cases), trial)
        covered += interval.low <= 0.05 <= interval.high
    assert 180 <= covered <= 198


def test_rates_follow_from_what_the_worlds_came_to(month: Worlds) -> None:
    theirs = outcome(month, "none")
    ours = outcome(month, "agents")
    assert rate_difference(month, "none", losses).value == pytest.approx(ours.churn - theirs.churn)
    assert rate_difference(month, "none", wins).value == pytest.approx(ours.win_rate - theirs.win_rate)
