"""The policy of the customer behaviour agent: who is contacted, who waits, who is left alone, and why."""

from __future__ import annotations

import json

import duckdb
import pandas as pd
import pytest

from crm_agents.agents.contact_policy import choose_sql
from crm_agents.company import Behaviour


def choose(values: list[float | None], **settings) -> pd.DataFrame:
    predictions = pd.DataFrame(
        {
            "customer_id": [f"c{position:03}" for position in range(len(values))],
            "value": pd.Series(values, dtype="float64"),
            "status": ["not_scored" if value is None else "scored" for value in values],
            "status_reason": ["No purchase yet." if value is None else None for value in values],
            "method": "champion",
            "model_version": "1",
            "average_order_value": 50.0,
            "as_of": pd.Timestamp("2026-06-30"),
        }
    )
    with duckdb.connect() as connection:
        connection.register("predictions", predictions)
        return connection.execute(
            f"from ({choose_sql('predictions', Behaviour(**settings), 30)}) order by customer_id"
        ).df()


def test_the_most_likely_share_is_contacted() -> None:
    chosen = choose([position / 100 for position in range(100)], contact_share=0.1)
    assert list(chosen.loc[chosen["chosen"] == "contact_now", "value"]) == [
        position / 100 for position in range(90, 100)
    ]
    assert list(chosen.loc[chosen["chosen"] == "leave_alone", "value"]) == [0.0, 0.01]


def test_grades_follow_the_bands() -> None:
    chosen = choose([position / 100 for position in range(101)])
    assert chosen.groupby("grade")["value"].min().to_dict() == {"A": 0.8, "B": 0.5, "C": 0.2, "D": 0.0}


def test_an_unlikely_customer_is_left_alone_even_among_the_best() -> None:
    chosen = choose([0.001, 0.002, 0.003], contact_share=1.0)
    assert set(chosen["chosen"]) == {"leave_alone"}


def test_without_a_score_the_reason_is_the_status() -> None:
    chosen = choose([None, 0.4]).iloc[0]
    assert (chosen["chosen"], chosen["reason"], chosen["grade"]) == ("wait", "No purchase yet.", None)


def test_one_customer_alone_is_decided() -> None:
    chosen = choose([0.4], contact_share=0.5).iloc[0]
    assert chosen["chosen"] == "wait"
    assert chosen["confidence"] == pytest.approx(0.6)


def test_reasons_and_options_say_what_they_bet_on() -> None:
    chosen = choose([position / 100 for position in range(100)], contact_share=0.1)
    best = chosen.iloc[99]
    assert best["reason"] == "99% likely to buy within 30 days, among the 10% most likely: contact now."
    assert json.loads(best["options"])["contact_now"]["expected_revenue"] == 49.5
    assert best["confidence"] == pytest.approx(0.99)
    assert "less than the 2% that are worth a contact" in chosen.iloc[1]["reason"]
