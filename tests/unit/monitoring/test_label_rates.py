"""Rates at which outcomes come, in running sums over events, against counting them customer by customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest

from crm_agents.company import Company
from crm_agents.model_catalog import PURCHASES, find_model
from crm_agents.monitoring.labels import _rates
from crm_agents.monitoring.outcomes import Question

AS_OF, HORIZON = date(2026, 6, 30), 20
COMPANY = Company(name="test", title="Test", monitoring={"min_rows": 1})


def events(seed: int) -> pd.DataFrame:
    """Return purchases of 80 customers over a hundred days; several of some on one day."""
    rng = np.random.default_rng(seed)
    count = 400
    return pd.DataFrame(
        {
            "entity_id": rng.integers(0, 80, count).astype(str).astype(object),
            "happened_on": [AS_OF - timedelta(days=int(back)) for back in rng.integers(0, 100, count)],
            "is_positive": True,
        }
    )


def counted(bought: pd.DataFrame, day: date, *, is_lapse: bool) -> tuple[int, int]:
    """Return who is in question on `day`, and to how many of them it happened."""
    people = hits = 0
    for days in bought.groupby("entity_id")["happened_on"].agg(set):
        earlier = [one for one in days if one <= day]
        if not earlier or (is_lapse and (day - max(earlier)).days > HORIZON):
            continue
        people += 1
        bought_again = any(0 < (one - day).days <= HORIZON for one in days)
        hits += bought_again is not is_lapse
    return people, hits


@pytest.mark.parametrize("is_lapse", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_running_sums_count_as_by_hand(seed: int, is_lapse: bool) -> None:
    bought = events(seed)
    source = replace(PURCHASES, events="select * from bought", is_lapse=is_lapse)
    question = Question(find_model("purchase_propensity"), source, AS_OF, AS_OF, HORIZON)
    with duckdb.connect() as connection:
        connection.register("bought", bought)
        rows = connection.execute(
            f"with {_rates(question, COMPANY)} select back, n, rate, variance from rates"
        ).fetchall()
    assert len(rows) > 30
    for back, n, rate, variance in rows:
        people, hits = counted(bought, question.last_on - timedelta(days=back), is_lapse=is_lapse)
        assert (n, rate) == (people, pytest.approx((hits + 0.5) / (people + 1)))
        assert variance > 0
