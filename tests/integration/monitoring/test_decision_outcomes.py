"""Decisions get the outcome that came after them, once; choices are compared month by month."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from crm_agents import postgres
from crm_agents.agents import customer_behaviour
from crm_agents.agents.frame import AgentRun
from crm_agents.monitoring import decision_outcomes
from tests.integration.monitoring.test_outcomes import COMPANY, fill_marts, table

DAY = date(2024, 5, 1)
DUE = DAY + timedelta(days=30)
CHOICES = {
    "picked": "contact_now",
    "silent": "contact_now",
    "left": "leave_alone",
    "early": "leave_alone",
    "erased": "wait",
}


@pytest.fixture
def decided(installation: Path) -> None:
    """Five decisions of one day; three customers buy, one of them before the decision; one is erased."""
    orders = [("picked", DAY + timedelta(days=3), 30), ("picked", DAY + timedelta(days=9), 10), ("early", DAY, 99)]
    fill_marts(["picked", "silent", "left", "early"], [*orders, ("left", DUE + timedelta(days=1), 50)])
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            "insert into crm_ai.decisions (decision_id, run_id, agent, entity_type, entity_id, options, chosen, arm, policy, "
            "reason, as_of, outcome_due_at) values (%s, 'r', 'customer_behaviour_agent', 'customer', %s, '{}', %s, 'policy', "
            "'p', 'because', %s, %s)",
            [(f"r:{name}", name, chosen, DAY, DUE) for name, chosen in CHOICES.items()],
        )


def evaluate(as_of: date = DUE) -> int:
    run = AgentRun("run", "customer_behaviour_agent", as_of)
    return customer_behaviour.evaluate(run, COMPANY).outcomes


def outcomes() -> dict[str, tuple]:
    with postgres.connect() as crm:
        rows = crm.execute("select entity_id, outcome, outcome_value from crm_ai.decisions").fetchall()
    return {name: (outcome, value) for name, outcome, value in rows}


def test_an_outcome_is_what_came_between_the_decision_and_its_due_day(decided: None) -> None:
    assert evaluate(DUE - timedelta(days=1)) == 0
    assert evaluate() == 5
    assert outcomes() == {
        "picked": ("purchased", 40),
        "silent": ("no_purchase", 0),
        "left": ("no_purchase", 0),
        "early": ("no_purchase", 0),
        "erased": ("gone", None),
    }


def test_an_outcome_that_arrives_twice_or_later_does_not_change_it(decided: None) -> None:
    evaluate()
    first = outcomes()
    fill_marts(list(CHOICES), [("silent", DAY + timedelta(days=2), 70)])
    assert evaluate() == 0
    assert outcomes() == first


def test_choices_are_compared_by_month(decided: None) -> None:
    evaluate()
    assert decision_outcomes.evaluate(as_of=DUE, run_id="m1") == 3
    rows = {row["chosen"]: row for row in table(name="decision_performance")}
    assert (rows["contact_now"]["outcomes"], rows["contact_now"]["positive_share"]) == (2, 0.5)
    assert rows["contact_now"]["lift_value"] == pytest.approx(20 / 10)
    assert (rows["leave_alone"]["positive_share"], rows["leave_alone"]["lift_positive"]) == (0, 0)
    assert (rows["wait"]["outcomes"], rows["wait"]["unknown"], rows["wait"]["lift_value"]) == (0, 1, None)
    decision_outcomes.evaluate(as_of=DUE, run_id="m2")
    decision_outcomes.evaluate(as_of=DUE - timedelta(days=5), run_id="older")
    assert {row["run_id"] for row in table(name="decision_performance")} == {"m2"}
