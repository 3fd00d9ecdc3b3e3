"""The policy of the customer behaviour agent: who is contacted, who waits, who is left alone, and why."""

from __future__ import annotations

import json
from datetime import date

import duckdb
import pandas as pd
import pytest

from crm_agents.agents.contact_policy import choose_sql
from crm_agents.company_settings import Behaviour


def choose(
    values: list[float | None],
    order_values: list[float | None] | float = 50.0,
    standing: list[str | None] | None = None,
    last_contact_on: list[str | None] | None = None,
    **settings,
) -> pd.DataFrame:
    nobody = [None] * len(values)
    predictions = pd.DataFrame(
        {
            "customer_id": [f"c{position:03}" for position in range(len(values))],
            "value": pd.Series(values, dtype="float64"),
            "status": ["not_scored" if value is None else "scored" for value in values],
            "status_reason": ["No purchase yet." if value is None else None for value in values],
            "method": "champion",
            "model_version": "1",
            "average_order_value": order_values,
            "as_of": date(2026, 6, 30),
            "prior_decision_id": None,
            "standing": pd.Series(standing or nobody, dtype="string"),
            "last_contact_on": pd.to_datetime(pd.Series(last_contact_on or nobody)),
        }
    )
    with duckdb.connect() as connection:
        connection.register("predictions", predictions)
        return connection.execute(
            f"from ({choose_sql('predictions', Behaviour(**settings), 30)}) order by customer_id"
        ).df()


def test_the_share_with_the_highest_expected_revenue_is_contacted() -> None:
    chosen = choose([position / 100 for position in range(100)], contact_share=0.1)
    assert list(chosen.loc[chosen["chosen"] == "contact_now", "value"]) == [
        position / 100 for position in range(90, 100)
    ]
    assert list(chosen.loc[chosen["chosen"] == "leave_alone", "value"]) == [0.0, 0.01]


def test_a_likely_small_order_gives_way_to_a_less_likely_large_one() -> None:
    chosen = choose([0.9, 0.5, 0.4, 0.3], order_values=[10.0, 100.0, 10.0, 20.0], contact_share=0.25)
    assert list(chosen["chosen"]) == ["wait", "contact_now", "wait", "wait"]
    assert chosen.loc[1, "reason"] == (
        "50% likely to buy within 30 days, 100.00 an order: among the 25% with the highest expected revenue: contact now."
    )


def test_where_no_order_has_a_value_the_likelihood_decides() -> None:
    chosen = choose([0.9, 0.5, 0.4, 0.3], order_values=[0.0, None, 0.0, 0.0], contact_share=0.25)
    assert list(chosen["chosen"]) == ["contact_now", "wait", "wait", "wait"]


def test_who_was_contacted_rests_unless_that_contact_still_stands() -> None:
    days = {"over": "2026-05-31", "resting": "2026-06-01", "standing": "2026-06-01", "never": None}
    chosen = choose(
        [0.9] * 4,
        standing=["wait", "wait", "contact_now", None],
        last_contact_on=list(days.values()),
        contact_share=1.0,
        contact_rest_days=30,
    )
    assert dict(zip(days, chosen["chosen"], strict=True)) == {
        "over": "contact_now",
        "resting": "wait",
        "standing": "contact_now",
        "never": "contact_now",
    }
    assert chosen.loc[1, "reason"].endswith("50.00 an order: contacted on 2026-06-01, so wait 30 days.")


def test_a_contact_that_fell_due_is_not_repeated_before_the_rest_is_over() -> None:
    due = choose([0.9], last_contact_on=["2026-06-16"], contact_share=1.0, contact_rest_days=30)
    assert list(due["chosen"]) == ["wait"]


def test_an_unlikely_customer_is_left_alone_even_among_the_best() -> None:
    chosen = choose([0.001, 0.002, 0.003], contact_share=1.0)
    assert set(chosen["chosen"]) == {"leave_alone"}


def test_without_a_score_the_reason_is_the_status() -> None:
    chosen = choose([None, 0.4]).iloc[0]
    assert (chosen["chosen"], chosen["reason"]) == ("wait", "No purchase yet.")


def test_one_customer_alone_is_decided() -> None:
    chosen = choose([0.4], contact_share=0.5).iloc[0]
    assert chosen["chosen"] == "wait"
    assert chosen["confidence"] == pytest.approx(0.6)


def test_reasons_and_options_say_what_they_bet_on() -> None:
    chosen = choose([position / 100 for position in range(100)], contact_share=0.1)
    best = chosen.iloc[99]
    assert best["reason"] == (
        "99% likely to buy within 30 days, 50.00 an order: among the 10% with the highest expected revenue: contact now."
    )
    assert json.loads(best["options"])["contact_now"]["expected_revenue"] == 49.5
    assert best["confidence"] == pytest.approx(0.99)
    assert "less than the 2% that are worth a contact" in chosen.iloc[1]["reason"]
