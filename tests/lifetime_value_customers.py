"""Simulated companies for the tests of lifetime value."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from models_ml.lifetime_value.likelihood import Family
from models_ml.lifetime_value.simulate import simulate_purchases

CDNOW = (0.243, 4.414, 0.793, 2.426)  # the estimates published for CDNOW: r, alpha, a, b in weeks
FIRST_DAY = date(2024, 1, 1)


def cdnow_like(family: Family | None = None, seed: int = 0, customers: int = 2357) -> pd.DataFrame:
    """Customers of a known model, won in the first 12 of 39 weeks, and their next 39 weeks."""
    T = np.random.default_rng(seed).integers(27 * 7, 39 * 7, customers) / 7
    return simulate_purchases(family or Family(), CDNOW, T, horizon=39, seed=seed)


def purchases(customers: int = 400, weeks: int = 78, seed: int = 3, mean_gap: float = 5.0) -> pd.DataFrame:
    """A log of purchases (customer_id, ordered_on, amount): customers who differ in rhythm, stay and spending."""
    random = np.random.default_rng(seed)
    start = random.integers(0, 26 * 7, customers)
    gap = 7 * mean_gap * random.lognormal(0, 0.8, customers)
    stays = random.geometric(0.12, customers)
    count = 40
    gaps = random.gamma(1.5, 1 / 1.5, (customers, count)) * gap[:, None]
    day = (start[:, None] + np.c_[np.zeros(customers), np.cumsum(gaps[:, :-1], axis=1)]).astype(int)
    level = random.lognormal(3, 0.6, customers)
    amount = level[:, None] * random.gamma(4, 1 / 4, (customers, count))
    kept = (day < weeks * 7) & (np.arange(count) < stays[:, None])
    number = np.repeat(np.arange(customers), count).reshape(day.shape)
    return pd.DataFrame(
        {
            "customer_id": [f"C{value:05d}" for value in number[kept]],
            "ordered_on": pd.Timestamp(FIRST_DAY) + pd.to_timedelta(day[kept], unit="D"),
            "amount": amount[kept].round(2),
        }
    )


def last_day(weeks: int = 78) -> date:
    """The last day of `purchases`."""
    return FIRST_DAY + timedelta(days=weeks * 7 - 1)
