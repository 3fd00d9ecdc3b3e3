"""The measures, each by hand, and what they say on public data."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models_ml.lifetime_value.buying import fit_buying
from models_ml.lifetime_value.evaluate import by_frequency, grade_of_caught, metrics, top_caught
from models_ml.lifetime_value.history import days_of_purchase, summarise, what_followed
from models_ml.lifetime_value.rule import baseline
from models_ml.lifetime_value.train import compare
from tests.conftest import real_data


def test_top_caught_by_hand() -> None:
    actual = np.array([9.0, 8, 7, 0, 0, 0, 0, 0, 0, 1])
    assert top_caught(np.array([9.0, 0, 8, 0, 0, 0, 0, 0, 0, 0]), actual) == (0.5, 16 / 25)
    assert top_caught(actual, actual) == (1.0, 17 / 25)
    assert top_caught(-actual, actual) == (0.0, 0.0)
    assert top_caught(np.ones(10), actual)[0] == pytest.approx(0.2)  # ties count in part, whatever the order
    assert top_caught(np.ones(10), np.zeros(10)) == (None, None)
    only_one = np.array([5.0] + [0.0] * 9)
    assert top_caught(only_one, only_one)[0] == 1.0


def test_groups_and_totals_by_hand() -> None:
    predicted, actual, frequency = np.array([1.0, 2, 3, 4]), np.array([2.0, 2, 2, 2]), np.array([0, 1, 3, 40])
    found = metrics(predicted, actual, frequency)
    assert found["total_bias"] == pytest.approx(0.25)
    assert found["rmse"] == pytest.approx(np.sqrt(6 / 4))
    assert found["correlation"] is None
    rows = by_frequency(predicted, actual, frequency)
    assert [row["group"] for row in rows] == ["0", "1", "2-3", "16+"]
    assert sum(row["predicted"] for row in rows) == 10


def test_grades() -> None:
    assert [grade_of_caught(value, 0.6) for value in (0.63, 0.62, 0.6, 0.59)] == ["A", "B", "B", "C"]


def test_the_rule_of_thumb_by_hand() -> None:
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "ordered_on": pd.to_datetime(["2024-01-01", "2024-06-01", "2024-01-01"]),
            "amount": [60.0, 60.0, 24.0],
        }
    )
    found = baseline(days_of_purchase(log), date(2024, 7, 1), 91).set_index("customer_id")["expected_value"]
    share_of_age = 91 / (date(2024, 7, 1) - date(2024, 1, 1)).days
    assert found["a"] == pytest.approx(120 * share_of_age * 0.5)  # one of the two has bought in the last 91 days
    assert found["b"] == pytest.approx(24 * share_of_age * 0.5)


def public(name: str, columns: dict[str, str]) -> pd.DataFrame:
    log = pd.read_csv(real_data("clvtools") / name).rename(columns=columns)
    return log.assign(ordered_on=pd.to_datetime(log["ordered_on"]))


@pytest.mark.real_data
def test_grocery_holdout() -> None:
    """Everything is learnt in 2006; 2007 is looked at once, here."""
    days = days_of_purchase(public("groceryElog.csv", {"cust": "customer_id", "date": "ordered_on"}))
    origin, until = date(2006, 12, 31), date(2007, 12, 30)
    summary = summarise(days, origin)
    actual = what_followed(days, summary["customer_id"], origin, until)["purchases"].to_numpy()
    assert (len(summary), actual.sum()) == (1525, 3389)
    model = fit_buying(days, origin)
    predicted = model.expected(52.0, summary["frequency"], summary["recency"], summary["T"])
    found = metrics(predicted, actual, summary["frequency"].to_numpy())
    assert found["rmse"] <= 3.12
    assert abs(found["total_bias"]) <= 0.08
    assert all(member.gradient_norm < 1e-9 and member.is_inside for member in model.members)


@pytest.mark.real_data
def test_apparel_is_graded_against_the_rule_of_thumb() -> None:
    days = days_of_purchase(public("apparelTrans.csv", {"Id": "customer_id", "Date": "ordered_on", "Price": "amount"}))
    found = compare(days, date(2006, 12, 31), 364)
    assert found["grades"]["models"] == "A"
    assert found["models"]["correlation"] > found["baseline"]["correlation"]
