"""The rule of thumb that a model has to beat: average monthly value x months x retention."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from models_ml.lifetime_value import config
from models_ml.lifetime_value.history import DAYS_PER_WEEK, day_number, summarise, what_followed


def baseline(days: pd.DataFrame, as_of: date, horizon_days: int) -> pd.DataFrame:
    """Return customer_id and expected_value of every customer known at the end of `as_of`, by the rule of thumb.

    Parameters
    ----------
    days : DataFrame
        From `history.days_of_purchase`; rows after `as_of` are not read.
    """
    found = per_month(days, as_of)
    expected = found["value_per_month"] * months_in(horizon_days) * retention(days, as_of, horizon_days)
    return pd.DataFrame({config.ENTITY: found[config.ENTITY], "expected_value": expected})


def per_month(days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return customer_id, value_per_month and purchases_per_month since the first purchase, sorted by customer.

    A customer younger than a month counts as a month old; one whose returns outweigh everything brings nothing.
    """
    summary = summarise(days, as_of)
    seen = days[days["day"] <= day_number(as_of)]
    total = seen.groupby("customer_id")["amount"].sum().reindex(summary[config.ENTITY]).to_numpy()
    age = np.maximum(summary["T"].to_numpy() / config.WEEKS_PER_MONTH, 1.0)
    return pd.DataFrame(
        {
            config.ENTITY: summary[config.ENTITY],
            "value_per_month": np.maximum(total, 0.0) / age,
            "purchases_per_month": (summary["frequency"].to_numpy() + 1) / age,
        }
    )


def retention(days: pd.DataFrame, as_of: date, horizon_days: int) -> float:
    """Return the share of the customers known one horizon ago who have bought since; where nobody was known then, 1."""
    earlier = as_of - timedelta(days=horizon_days)
    known = days.loc[days["day"] <= day_number(earlier), "customer_id"].drop_duplicates()
    if known.empty:
        return 1.0
    return float((what_followed(days, known, earlier, as_of)["purchases"] > 0).mean())


def months_in(horizon_days: int) -> float:
    """Return the months in a horizon."""
    return horizon_days / DAYS_PER_WEEK / config.WEEKS_PER_MONTH
