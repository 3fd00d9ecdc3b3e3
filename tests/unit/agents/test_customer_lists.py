"""Whom to care for, win back and greet: the rules, one by one."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from crm_agents.agents import customer_lists
from crm_agents.contact_settings import Personalisation

NOBODY = {
    "tickets_open": 0.0,
    "days_since_interaction": 3.0,
    "purchases_total": 5.0,
    "tenure_days": 400.0,
    "revenue_365d": 100.0,
}


def listed(customers: dict[str, dict], churn: dict[str, float] | None = None, **settings) -> dict[str, tuple[str, str]]:
    """Return list and reason of each listed customer; what is not said of one is as in `NOBODY`."""
    features = pd.DataFrame([{"customer_id": name, **NOBODY, **facts} for name, facts in customers.items()])
    scores = pd.DataFrame({"customer_id": list(churn or {}), "value": list((churn or {}).values())})
    with duckdb.connect() as connection:
        connection.register("features", features)
        connection.register("scores", scores.astype({"customer_id": "string", "value": "float64"}))
        sql = customer_lists.wishes_sql("features", "scores", Personalisation(**settings), "2026-06-30")
        return {row[0]: (row[1], row[4]) for row in connection.execute(sql).fetchall()}


@pytest.mark.parametrize(
    ("tickets", "days", "is_cared_for"), [(1, 7, True), (1, 6, False), (0, 30, False), (2, None, False)]
)
def test_care_is_for_open_tickets_without_contact(tickets: int, days: float | None, is_cared_for: bool) -> None:
    found = listed({"ada": {"tickets_open": tickets, "days_since_interaction": days}})
    assert ("ada" in found) is is_cared_for
    if is_cared_for:
        assert found["ada"] == ("care", "1 open ticket, and the last contact was 7 days ago: somebody should call.")


def test_win_back_is_for_those_with_most_at_stake() -> None:
    customers = {name: {"revenue_365d": value} for name, value in (("small", 10.0), ("large", 900.0), ("safe", 5000.0))}
    churn = {"small": 0.9, "large": 0.7, "safe": 0.1}
    found = listed(customers, churn, win_back_share=0.34)
    assert found == {"large": ("win_back", "70% likely to be lost, 900.00 of revenue in the last year at stake.")}
    assert set(listed(customers, churn, win_back_share=1.0)) == {"small", "large"}
    assert listed(customers, {}, win_back_share=1.0) == {}


def test_returns_put_nothing_at_stake() -> None:
    found = listed(
        {"ada": {"revenue_365d": -50.0}, "ben": {"revenue_365d": 1.0}}, {"ada": 0.9, "ben": 0.9}, win_back_share=0.5
    )
    assert set(found) == {"ben"}


def test_greetings_are_for_first_purchases() -> None:
    found = listed(
        {
            "new": {"purchases_total": 1, "tenure_days": 2},
            "back again": {"purchases_total": 2, "tenure_days": 2},
            "last week": {"purchases_total": 1, "tenure_days": 7},
        }
    )
    assert found == {"new": ("greeting", "First purchase on 2026-06-28: say thank you.")}


def test_nobody_is_on_two_lists() -> None:
    facts = {"tickets_open": 1, "days_since_interaction": 9, "purchases_total": 1, "tenure_days": 1}
    found = listed({"ada": facts}, {"ada": 0.99}, win_back_share=1.0)
    assert found["ada"][0] == "care"
