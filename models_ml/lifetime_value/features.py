"""What the trees read: a customer's buying so far, as of a day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from models_ml.lifetime_value.history import DAYS_PER_WEEK, day_number, summarise

WINDOWS = (28, 91, 182, 364)  # days
FEATURES = (
    "frequency",
    "recency",
    "T",
    "weeks_since_last",
    "mean_gap_weeks",
    "gap_stddev_weeks",
    "overdue_ratio",
    "mean_value",
    "value_total",
    *(f"purchases_{window}d" for window in WINDOWS),
    *(f"value_{window}d" for window in WINDOWS),
)


def features(days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return customer_id and `FEATURES` of every customer known at the end of `as_of`, sorted by customer.

    Parameters
    ----------
    days : DataFrame
        From `history.days_of_purchase`; rows after `as_of` are not read.
    """
    end = day_number(as_of)
    seen = days[days["day"] <= end]
    frame = summarise(seen, as_of).set_index("customer_id").drop(columns="sum_log_gaps")
    gaps = (seen.groupby("customer_id")["day"].diff() / DAYS_PER_WEEK).groupby(seen["customer_id"])
    frame["weeks_since_last"] = frame["T"] - frame["recency"]
    frame["mean_gap_weeks"], frame["gap_stddev_weeks"] = gaps.mean(), gaps.std()
    frame["overdue_ratio"] = frame["weeks_since_last"] / frame["mean_gap_weeks"]
    frame["value_total"] = seen.groupby("customer_id")["amount"].sum()
    for window in WINDOWS:
        grouped = seen[seen["day"] > end - window].groupby("customer_id")["amount"].agg(["size", "sum"])
        found = grouped.reindex(frame.index).fillna(0.0).astype(np.float64)
        frame[f"purchases_{window}d"], frame[f"value_{window}d"] = found["size"], found["sum"]
    return frame.reset_index()[["customer_id", *FEATURES]]
