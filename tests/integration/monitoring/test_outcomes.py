"""Scores joined to what happened: realised metrics per version and month, whatever is wrong with the outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_agents import lake, postgres
from crm_agents.company import Company
from crm_agents.model_catalog import PURCHASES, ModelSpec, find_model
from crm_agents.monitoring import performance
from models_ml.core.metrics import probability_metrics

COMPANY = Company(name="test", title="Test", prediction={"horizon_days": 30})
TODAY = date(2024, 6, 30)
SPEC = find_model("purchase_propensity")


def write_scores(rows: list[tuple], model: str = SPEC.name, unit: str = "probability") -> None:
    """Write (entity_id, as_of, value, version) into the history."""
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            "insert into crm_ai.score_history (entity_type, entity_id, model, as_of, value, unit, status, method, "
            f"model_version, run_id) values ('customer', %s, '{model}', %s, %s, '{unit}', 'scored', 'champion', %s, 'r')",
            rows,
        )


def fill_marts(customers: list[str], orders: list[tuple]) -> None:
    """Write dim_customers and fct_orders (customer_id, ordered_on, revenue) with the columns that outcomes read."""
    with lake.connect() as connection:
        connection.execute("create or replace table marts.dim_customers (customer_id varchar)")
        connection.execute(
            "create or replace table marts.fct_orders (order_id varchar, customer_id varchar, ordered_on date, "
            "is_purchase boolean, revenue_amount decimal(38, 4))"
        )
        connection.register("people", pd.DataFrame({"customer_id": customers}))
        connection.execute("insert into marts.dim_customers from people")
        if orders:
            frame = pd.DataFrame(orders, columns=["customer_id", "ordered_on", "revenue_amount"])
            connection.register("incoming", frame)
            connection.execute(
                "insert into marts.fct_orders select row_number() over (), customer_id, ordered_on::date, true, "
                "revenue_amount from incoming"
            )


def evaluate(as_of: date = TODAY, run_id: str = "r1", models: tuple[ModelSpec, ...] = (SPEC,), **arguments) -> int:
    return performance.evaluate(as_of=as_of, run_id=run_id, company=COMPANY, models=models, **arguments)


def table(columns: str = "*", name: str = "model_performance") -> list[dict]:
    with postgres.connect() as crm:
        cursor = crm.execute(f"select {columns} from crm_ai.{name} order by 1, 2, 3, 4")
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_metrics_equal_those_of_the_holdout(installation: Path) -> None:
    """The same numbers as models_ml computes in numpy, per version and month; values and ties as they come."""
    random = np.random.default_rng(3)
    customers = [f"c{i}" for i in range(1500)]
    scores, orders, expected = [], [], {}
    for month, day, version in (("2024-03-01", date(2024, 3, 5), "1"), ("2024-04-01", date(2024, 4, 17), "2")):
        value = np.round(random.beta(1, 4, len(customers)), 6)
        value[:7] = value[7]  # ties
        bought = random.random(len(customers)) < value
        scores += [(name, day, float(p), version) for name, p in zip(customers, value, strict=True)]
        days = random.integers(1, 31, len(customers))
        orders += [(customers[i], day + timedelta(days=int(days[i])), 10.0) for i in np.flatnonzero(bought)]
        expected[month] = (value, day)
    fill_marts(customers, orders)
    write_scores(scores)
    assert evaluate() == 2
    frame = pd.DataFrame(orders, columns=["customer", "day", "amount"])
    for row in table():
        value, day = expected[str(row["month"])]
        hits = set(frame[(frame["day"] > day) & (frame["day"] <= day + timedelta(days=30))]["customer"])
        truth = probability_metrics(value, np.array([name in hits for name in customers], dtype=float))
        assert row["scores"] == 1500
        assert row["is_complete"]
        assert row["mean_outcome"] == pytest.approx(truth["base_rate"])
        for name in ("auc", "brier", "log_loss", "lift_top_10_percent"):
            assert row[name] == pytest.approx(truth[name], rel=1e-6), name
        assert row["expected_calibration_error"] == pytest.approx(truth["expected_calibration_error"], abs=2e-3)
        assert row["lift_top_share"] == pytest.approx(row["lift_top_10_percent"])  # contact_share is 0.1 by default


def test_only_events_between_the_score_and_its_horizon_count_and_each_once(installation: Path) -> None:
    day = date(2024, 5, 1)
    fill_marts(
        ["before", "same_day", "first", "twice", "last", "late"],
        [
            ("before", day - timedelta(days=1), 5),
            ("same_day", day, 5),
            ("first", day + timedelta(days=1), 5),
            ("twice", day + timedelta(days=3), 5),
            ("twice", day + timedelta(days=3), 5),  # the same outcome delivered twice
            ("twice", day + timedelta(days=9), 5),
            ("last", day + timedelta(days=30), 5),
            ("late", day + timedelta(days=31), 5),
        ],
    )
    people = ("before", "same_day", "first", "twice", "last", "late")
    write_scores([(name, day, 0.9 if name in {"first", "twice", "last"} else 0.1, "1") for name in people])
    evaluate()
    (row,) = table()
    assert (row["scores"], row["mean_outcome"], row["auc"]) == (6, 0.5, 1.0)
    assert row["brier"] == pytest.approx(0.01)


def test_what_is_not_due_or_later_than_today_does_not_count(installation: Path) -> None:
    fill_marts(["c1", "c2"], [("c1", date(2024, 6, 5), 5), ("c2", date(2024, 7, 1), 5)])
    write_scores([("c1", date(2024, 5, 31), 0.5, "1"), ("c2", date(2024, 5, 31), 0.5, "1")])
    write_scores([("c1", date(2024, 6, 1), 0.5, "1")])
    evaluate()
    (row,) = table()
    assert (row["scores"], row["mean_outcome"], row["last_on"]) == (2, 0.5, date(2024, 5, 31))
    assert row["is_complete"]
    assert evaluate(as_of=date(2024, 7, 1), run_id="r2") == 2
    may, june = table()
    assert (may["scores"], june["scores"], june["is_complete"]) == (2, 1, False)


def test_a_customer_erased_since_is_counted_apart(installation: Path) -> None:
    day = date(2024, 5, 1)
    fill_marts(["here"], [("here", day + timedelta(days=2), 5)])
    write_scores([("here", day, 0.8, "1"), ("erased", day, 0.9, "1")])
    evaluate()
    (row,) = table()
    assert (row["scores"], row["gone"], row["mean_outcome"]) == (1, 1, 1.0)
    assert row["auc"] is None  # one class only
    fill_marts([], [])
    evaluate(run_id="r2")
    (row,) = table()
    assert (row["scores"], row["gone"], row["brier"]) == (0, 2, None)


def test_twice_and_in_any_order_gives_the_same_rows(installation: Path) -> None:
    day = date(2024, 5, 1)
    fill_marts(["c1", "c2"], [("c1", day + timedelta(days=2), 5)])
    write_scores([("c1", day, 0.8, "1"), ("c2", day, 0.3, "1")])
    evaluate()
    first = table()
    evaluate(run_id="r2")
    assert [{**row, "run_id": "", "updated_at": ""} for row in table()] == [
        {**row, "run_id": "", "updated_at": ""} for row in first
    ]
    fill_marts(["c1", "c2"], [("c1", day + timedelta(days=2), 5), ("c2", day + timedelta(days=4), 5)])
    evaluate(as_of=TODAY + timedelta(days=20), run_id="r3")  # an outcome that arrived late
    (late,) = table()
    assert late["mean_outcome"] == 1.0
    evaluate(as_of=TODAY, run_id="r4")  # a backfill of an older day
    assert table() == [late]
    evaluate(as_of=TODAY + timedelta(days=200), run_id="r5")  # long closed: not judged anew
    assert table() == [late]


def test_models_are_judged_by_registration_alone(installation: Path) -> None:
    """Absence, deals that close, and amounts need nothing but an OutcomeSource."""
    day = date(2024, 5, 1)
    fill_marts(["c1", "c2"], [("c1", day + timedelta(days=2), 5), ("c1", day + timedelta(days=4), 7)])
    with lake.connect() as connection:
        connection.execute(
            "create table marts.deals as select * from (values ('d1', date '2024-05-03', true), "
            "('d2', date '2024-06-20', false), ('d3', null, null)) d (deal_id, closed_on, is_won)"
        )
    deals = replace(
        PURCHASES,
        events="select deal_id as entity_id, closed_on as happened_on, is_won as is_positive, 0 as amount from marts.deals "
        "where closed_on is not null",
        entities="select deal_id as entity_id from marts.deals",
        due="event",
    )
    models = (
        replace(SPEC, name="churn", outcome=replace(PURCHASES, is_lapse=True)),
        replace(SPEC, name="value", unit="EUR", outcome=PURCHASES),
        replace(SPEC, name="wins", outcome=deals),
        replace(SPEC, name="unjudged", outcome=None),
    )
    write_scores([("c1", day, 0.2, "1"), ("c2", day, 0.7, "1")], "churn")
    write_scores([("c1", day, 10.0, "1"), ("c2", day, 4.0, "1")], "value", "EUR")
    write_scores([("d1", day, 0.9, "1"), ("d2", day, 0.4, "1"), ("d3", day, 0.5, "1")], "wins")
    write_scores([("c1", day, 0.2, "1")], "unjudged")
    assert evaluate(models=models) == 3
    churn, value, wins = table()
    assert (churn["auc"], churn["mean_outcome"]) == (1.0, 0.5)
    assert value["root_mean_squared_error"] == pytest.approx(np.sqrt((2**2 + 4**2) / 2))
    assert (value["bias_share"], value["auc"]) == (pytest.approx(14 / 12 - 1), None)
    assert (wins["scores"], wins["auc"], wins["mean_outcome"]) == (2, 1.0, 0.5)
