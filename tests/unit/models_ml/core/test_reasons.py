"""Reasons: sums that hold, ranks by strength, and sentences that a salesperson understands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.core.phrases import Context, Phrase, sentences, value_texts
from models_ml.core.reasons import reasons_frame, strongest

RECENCY = Phrase(
    "days",
    "Bought {value} days ago",
    one="Bought yesterday",
    zero="Bought today",
    missing="Never bought",
    context=Context("gap", "days", ", usually buys every {value} days", one=", usually buys every day"),
)
SPENT = Phrase("money", "Spent {value}", zero="Spent nothing")
PHRASES = {"recency": RECENCY, "spent": SPENT, "visits": Phrase("count", "{value} visits")}
FRAME = pd.DataFrame(
    {
        "recency": [12.0, 1.0, np.nan],
        "gap": [30.0, 1.0, np.nan],
        "spent": [1234.5, 0.0, 3.456],
        "visits": [1e3, 2.0, 0.0],
    }
)
CONTRIBUTIONS = np.array([[0.5, -0.7, 0.1], [0.2, 0.0, 0.3], [-0.4, -0.1, -0.2]])


def reasons(top: int = 5) -> pd.DataFrame:
    return reasons_frame(
        entity_id=np.array(["x", "y", "z"], dtype=object),
        frame=FRAME,
        features=("recency", "spent", "visits"),
        contributions=CONTRIBUTIONS,
        base=-1.0,
        top=top,
        phrases=PHRASES,
        tails={"+": "good", "-": "bad"},
        currency="EUR",
    )


@pytest.mark.parametrize("top", [1, 2, 5])
def test_rows_of_an_entity_sum_to_its_log_odds(top: int) -> None:
    sums = reasons(top).groupby("entity_id")["contribution"].sum()
    np.testing.assert_allclose(sums[["x", "y", "z"]], -1 + CONTRIBUTIONS.sum(axis=1), atol=1e-12)


def test_ranks_run_from_the_strongest_reason_to_the_base() -> None:
    found = reasons()
    of_x = found[found["entity_id"] == "x"]
    assert of_x["feature"].tolist() == ["spent", "recency", "visits", "other", "base"]
    assert of_x["rank"].tolist() == [1, 2, 3, 4, 5]
    assert of_x["direction"].tolist() == ["-", "+", "+", "+", "-"]


def test_top_counts_for_and_against_separately() -> None:
    found = reasons(top=1)
    assert found[found["entity_id"] == "x"]["feature"].tolist() == ["spent", "recency", "other", "base"]
    assert found[found["entity_id"] == "z"]["feature"].tolist() == ["recency", "other", "base"]


def test_what_contributes_nothing_is_no_reason() -> None:
    found = reasons()
    assert "spent" not in found[found["entity_id"] == "y"]["feature"].tolist()


def test_sentences() -> None:
    found = reasons().set_index(["entity_id", "feature"])["statement"]
    assert found["x", "recency"] == "Bought 12 days ago, usually buys every 30 days: good."
    assert found["y", "recency"] == "Bought yesterday, usually buys every day: good."
    assert found["z", "recency"] == "Never bought: bad."
    assert found["x", "spent"] == "Spent 1,234 EUR: bad."
    assert found["z", "spent"] == "Spent 3.46 EUR: bad."
    assert found["x", "visits"] == "1,000 visits: good."
    assert found["x", "base"] == "Starting point before anything is known of the customer: 27 %."


def test_values_as_text() -> None:
    found = reasons().set_index(["entity_id", "feature"])["feature_value"]
    assert found["x", "recency"] == "12"
    assert found["z", "recency"] is None
    assert value_texts(Phrase("percent", "{value} %"), np.array([0.256, np.nan])).tolist() == ["0.26", None]


def test_amounts_are_shown_to_four_digits() -> None:
    assert sentences(SPENT, np.array([123456.0, 99.999, -12.0]), "EUR").tolist() == [
        "Spent 123,500 EUR",
        "Spent 100 EUR",
        "Spent -12.00 EUR",
    ]


def test_strongest_takes_the_largest_and_the_smallest() -> None:
    places, values = strongest(np.array([[3.0, -1.0, 2.0, -4.0]]), top=1)
    assert places.tolist() == [[3, 0]]
    assert values.tolist() == [[-4.0, 3.0]]


def test_no_rows() -> None:
    empty = reasons_frame(
        entity_id=np.array([], dtype=object),
        frame=FRAME.iloc[:0],
        features=("recency", "spent", "visits"),
        contributions=np.zeros((0, 3)),
        base=0.0,
        top=5,
        phrases=PHRASES,
        tails={"+": "good", "-": "bad"},
    )
    assert len(empty) == 0
