"""From purchases to what the models read: one row a customer as of a day, and what followed."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

DAYS_PER_WEEK = 7.0
COLUMNS = ("customer_id", "ordered_on", "amount")


def days_of_purchase(purchases: pd.DataFrame) -> pd.DataFrame:
    """Return one row a customer and day: all purchases of a day are one, and their amounts add up.

    Parameters
    ----------
    purchases : DataFrame
        customer_id, ordered_on (date), and amount (money, negative for returns) where values are to be predicted. Rows without
        a customer or a day are left out.

    Returns
    -------
    DataFrame
        customer_id, day (whole days since 1970), amount; sorted by customer and day. Days on which returns outweighed
        purchases are no purchase: they are left out as a count, and their amount is taken off the customer's last day before.
    """
    known = purchases.dropna(subset=["customer_id", "ordered_on"])
    frame = pd.DataFrame(
        {
            "customer_id": known["customer_id"].to_numpy(),
            "day": pd.to_datetime(known["ordered_on"]).to_numpy().astype("datetime64[D]").astype(np.int64),
            "amount": known["amount"].to_numpy(dtype=np.float64) if "amount" in known else 1.0,
        }
    )
    frame["amount"] = frame["amount"].fillna(0.0)
    daily = frame.groupby(["customer_id", "day"], sort=True, as_index=False)["amount"].sum()
    # A return belongs to the purchase before it; one without a purchase before it tells nothing of buying.
    is_purchase = daily["amount"] >= 0
    place = is_purchase.groupby(daily["customer_id"]).cumsum()
    daily = daily.assign(place=place)[place > 0]
    return (
        daily.groupby(["customer_id", "place"], as_index=False)
        .agg(day=("day", "first"), amount=("amount", "sum"))
        .drop(columns="place")
    )


def summarise(days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return what is known of each customer at the end of `as_of`.

    Parameters
    ----------
    days : DataFrame
        From `days_of_purchase`.

    Returns
    -------
    DataFrame
        customer_id, frequency (repeat purchase days), recency and T (weeks), mean_value (money a repeat purchase day, NaN
        without one), sum_log_gaps (of the weeks between purchases). Sorted by customer_id.
    """
    end = day_number(as_of)
    seen = days[days["day"] <= end]
    gap = seen.groupby("customer_id")["day"].diff() / DAYS_PER_WEEK
    rows = pd.DataFrame(
        {
            "customer_id": seen["customer_id"],
            "day": seen["day"],
            "repeat_amount": seen["amount"].where(gap.notna()),
            "log_gap": np.log(gap),
        }
    )
    grouped = rows.groupby("customer_id", sort=True)
    first, last = grouped["day"].min(), grouped["day"].max()
    return pd.DataFrame(
        {
            "frequency": (grouped.size() - 1).astype(np.float64),
            "recency": (last - first) / DAYS_PER_WEEK,
            "T": (end - first) / DAYS_PER_WEEK,
            "mean_value": grouped["repeat_amount"].mean(),
            "sum_log_gaps": grouped["log_gap"].sum(),
        }
    ).reset_index()


def what_followed(days: pd.DataFrame, customers: pd.Series, after: date, until: date) -> pd.DataFrame:
    """Return purchases and value of each of the (n,) `customers` in (`after`, `until`], in their order."""
    inside = days[(days["day"] > day_number(after)) & (days["day"] <= day_number(until))]
    grouped = inside.groupby("customer_id")["amount"].agg(["size", "sum"])
    found = grouped.reindex(customers.to_numpy()).fillna(0.0)
    return pd.DataFrame({"purchases": found["size"].to_numpy(), "value": found["sum"].to_numpy()})


def day_number(day: date) -> int:
    """Return whole days since 1970-01-01."""
    return int(np.datetime64(day, "D").astype(np.int64))
