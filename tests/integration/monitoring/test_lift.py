"""Lift from decisions in PostgreSQL and orders in the lake: right, repeatable, and blind to what came later."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_agents import lake, postgres
from crm_agents.monitoring import lift
from tests.integration.monitoring.test_outcomes import table

AGENT, RUN = "personalisation_agent", "run-1"
DAY = date(2024, 5, 6)
DUE = DAY + timedelta(days=30)
CUSTOMERS, EFFECT, COST = 1_200, 25.0, 2.0
OPTIONS = json.dumps({"allowed": ["do_nothing", "mail"], "cost": {"do_nothing": 0, "mail": COST}})


def decide(frame: pd.DataFrame, day: date = DAY, run_id: str = RUN, agent: str = AGENT) -> None:
    """Write decisions with their outcomes (entity_id, arm, chosen, propensity, value)."""
    due = day + timedelta(days=30)
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            "insert into crm_ai.decisions (decision_id, run_id, agent, entity_type, entity_id, options, chosen, arm, propensity, "
            "policy, reason, as_of, outcome_due_at, outcome, outcome_value) values (%s, %s, %s, 'customer', %s, %s, %s, %s, %s, "
            "'p', 'because', %s, %s, 'purchased', %s)",
            [
                (f"{run_id}:{agent}:{it.entity_id}:{day}", run_id, agent, it.entity_id, OPTIONS, it.chosen, it.arm,
                 it.propensity, day, due, it.value)
                for it in frame.itertuples()
            ],
        )  # fmt: skip


def drawn() -> pd.DataFrame:
    """Return decisions of which every mail brought `EFFECT`, on top of what the customer had brought before."""
    random = np.random.default_rng(4)
    before = random.gamma(2.0, 50.0, CUSTOMERS)
    arm = np.resize(["treatment", "treatment", "control", "business_as_usual", "treatment", "treatment"], CUSTOMERS)
    is_mail = (arm == "treatment") & (random.random(CUSTOMERS) < 0.4)
    chosen = np.where(is_mail, "mail", np.where(arm == "business_as_usual", "as_usual", "do_nothing"))
    return pd.DataFrame(
        {
            "entity_id": [f"c{number}" for number in range(CUSTOMERS)],
            "arm": arm,
            "chosen": chosen,
            "propensity": np.where(arm != "treatment", 1.0, np.where(is_mail, 0.4, 0.6)),
            "value": before + random.gamma(2.0, 5.0, CUSTOMERS) + EFFECT * is_mail,
            "before": before,
        }
    )


def order(frame: pd.DataFrame, day: date) -> None:
    """Write what customers had ordered (entity_id, before) on `day`."""
    with lake.connect() as connection:
        connection.register("incoming", frame[["entity_id", "before"]])
        connection.execute(
            "create or replace table marts.fct_orders as select entity_id as order_id, entity_id as customer_id, "
            f"date '{day}' as ordered_on, true as is_sale, before::decimal(38, 4) as sale_net_amount from incoming"
        )


@pytest.fixture
def decided(installation: Path) -> pd.DataFrame:
    """A company's decisions of one day, with arms, options by lot, and orders before them."""
    frame = drawn()
    decide(frame)
    order(frame, DAY)
    return frame


def rows(period: str = lift.LATEST) -> dict[tuple[str, str, str], dict]:
    return {
        (it["action"], it["compared_with"], it["measure"]): it for it in table(name="lift") if it["period"] == period
    }


def test_effects_of_arms_and_options_are_found(decided: pd.DataFrame) -> None:
    written = lift.evaluate(as_of=DUE, run_id="m1")
    found = rows()
    assert written == len(found) + len(rows("2024-05")) == 18
    mail = found["mail", "do_nothing", "revenue"]
    assert mail["lo95"] < EFFECT < mail["hi95"]
    assert mail["treated"] == (decided["chosen"] == "mail").sum()
    assert mail["total"] == pytest.approx(mail["effect"] * mail["treated"])
    assert mail["effect"] - found["mail", "do_nothing", "revenue_less_cost"]["effect"] == pytest.approx(COST)
    whole = found["all", "control", "revenue"]
    assert whole["lo95"] < 0.4 * EFFECT < whole["hi95"]
    assert (whole["treated"], whole["compared"], whole["first_on"], whole["last_on"]) == (800, 200, DAY, DAY)
    # Everybody bought: nothing can be said of the share of buyers, nor of what business as usual costs.
    assert "alike" in found["all", "control", "purchase_share"]["reason"]
    assert "200 of 1,000" in found["all", "business_as_usual", "revenue_less_cost"]["reason"]


def test_what_was_ordered_before_narrows_the_interval_and_what_came_after_does_not(decided: pd.DataFrame) -> None:
    def width() -> float:
        lift.evaluate(as_of=DUE, run_id="m")
        it = rows()["all", "control", "revenue"]
        return it["hi95"] - it["lo95"]

    adjusted = width()
    order(decided, DAY + timedelta(days=1))
    plain = width()
    order(decided, DAY - timedelta(days=365))
    assert width() == plain
    assert adjusted < 0.6 * plain


def test_a_repeated_run_writes_the_same_and_an_older_one_nothing(decided: pd.DataFrame) -> None:
    def content() -> list[dict]:
        return [{**it, "updated_at": None, "run_id": None} for it in table(name="lift")]

    lift.evaluate(as_of=DUE, run_id="m1")
    first = content()
    lift.evaluate(as_of=DUE, run_id="m2")
    assert content() == first
    later = drawn()
    later["value"] += 1_000 * (later["arm"] == "treatment")
    decide(later, day=DAY + timedelta(days=40), run_id="run-2")
    assert lift.evaluate(as_of=DUE, run_id="older") > 0  # the same day again: it does not see what came later
    assert content() == first
    newest = DUE + timedelta(days=40)
    lift.evaluate(as_of=newest, run_id="m3")
    assert rows()["all", "control", "revenue"]["lo95"] > 100
    lift.evaluate(as_of=DUE, run_id="older still")
    assert {it["run_id"] for it in table(name="lift")} == {"m3"}


def test_undone_decisions_and_erased_customers_count_nowhere(decided: pd.DataFrame) -> None:
    erased = decided.loc[decided["arm"] == "control", "entity_id"].head(7).tolist()
    with postgres.connect() as crm:
        crm.execute(
            "update crm_ai.decisions set outcome = 'gone', outcome_value = null where entity_id = any(%s)", [erased]
        )
    lift.evaluate(as_of=DUE, run_id="m1")
    it = rows()["all", "control", "revenue"]
    assert (it["compared"], it["gone"]) == (193, 7)
    with postgres.connect() as crm:
        crm.execute("update crm_ai.decisions set outcome = 'undone'")
    assert lift.evaluate(as_of=DUE, run_id="m2") == 0
    assert table(name="lift") == []


def test_an_agent_without_arms_and_lists_by_rule_get_a_reason(installation: Path) -> None:
    frame = drawn().assign(arm=None)
    decide(frame, agent="customer_behaviour_agent")
    listed = drawn().assign(arm="treatment", chosen="win_back", propensity=1.0).head(300)
    decide(listed)
    lift.evaluate(as_of=DUE, run_id="m1")
    found = {it["agent"]: it for it in table(name="lift") if it["period"] == lift.LATEST}
    assert (found["customer_behaviour_agent"]["reason"], found["customer_behaviour_agent"]["effect"]) == (
        lift.NO_ARMS,
        None,
    )
    assert found[AGENT]["action"] == "win_back"
    assert "by a rule" in found[AGENT]["reason"]


def test_a_lake_without_orders_and_odd_options_change_no_effect(installation: Path) -> None:
    frame = drawn()
    decide(frame)
    with postgres.connect() as crm:
        crm.execute(
            """update crm_ai.decisions set options = '{"allowed": "mail", "cost": {"mail": "two"}}' where chosen = 'mail'"""
        )
    lift.evaluate(as_of=DUE, run_id="m1")
    found = rows()
    assert found["all", "control", "revenue"]["effect"] is not None
    assert "was not logged" in found["mail", "do_nothing", "revenue"]["reason"]
    assert ("all", "control", "revenue_less_cost") not in found
