"""Judge predictions by what was bought afterwards; never train."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models_ml.lifetime_value import config
from models_ml.lifetime_value.history import DAYS_PER_WEEK, day_number, summarise, what_followed


def metrics(predicted: np.ndarray, actual: np.ndarray, frequency: np.ndarray) -> dict[str, Any]:
    """Return how well (n,) predictions met (n,) actual purchases or values.

    Returns
    -------
    dict
        n, predicted and actual (totals), total_bias (predicted / actual - 1), rmse, correlation (None where one side is
        constant), top_20_caught and top_20_missed (see `top_caught`), top_20_value (share of the actual total that the
        customers predicted best bring), and groups: customers, predicted and actual by repeat purchases.
    """
    varies = np.ptp(predicted) > 0 and np.ptp(actual) > 0
    caught, value = top_caught(predicted, actual)
    total = float(actual.sum())
    return {
        "n": len(actual),
        "predicted": float(predicted.sum()),
        "actual": total,
        "total_bias": float(predicted.sum() / total - 1) if total else None,
        "rmse": float(np.sqrt(np.mean((predicted - actual) ** 2))),
        "correlation": float(np.corrcoef(predicted, actual)[0, 1]) if varies else None,
        "top_20_caught": caught,
        "top_20_missed": None if caught is None else 1 - caught,
        "top_20_value": value,
        "groups": by_frequency(predicted, actual, frequency),
    }


def top_caught(
    predicted: np.ndarray, actual: np.ndarray, share: float = config.TOP_SHARE
) -> tuple[float | None, float | None]:
    """Return the share of the truly best customers among the best predicted, and the share of the total that these bring.

    The truly best are the `share` with the largest actual amount above 0. Customers whose predictions tie at the border count
    in part, so that the order of rows decides nothing. None where nobody brings anything.
    """
    places = max(1, math.ceil(share * len(actual)))
    if not (actual > 0).any():
        return None, None
    is_best = (actual >= np.partition(actual, -places)[-places]) & (actual > 0)
    border = np.partition(predicted, -places)[-places]
    above, ties = predicted > border, predicted == border
    chosen = above + ties * (places - above.sum()) / ties.sum()
    caught = float(chosen @ is_best) / min(places, int(is_best.sum()))
    return min(caught, 1.0), float(chosen @ actual / actual.sum())


def by_frequency(predicted: np.ndarray, actual: np.ndarray, frequency: np.ndarray) -> list[dict[str, Any]]:
    """Return group (repeat purchases), customers, predicted and actual total of each group with customers."""
    ends = np.array(config.FREQUENCY_GROUPS)
    group = np.searchsorted(ends, frequency)
    starts = [0, *(ends[:-1] + 1)]
    names = [f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True)] + [f"{ends[-1] + 1}+"]
    return [
        {
            "group": name,
            "customers": int((group == place).sum()),
            "predicted": float(predicted[group == place].sum()),
            "actual": float(actual[group == place].sum()),
        }
        for place, name in enumerate(names)
        if (group == place).any()
    ]


def baseline(days: pd.DataFrame, as_of: date, horizon_days: int) -> pd.DataFrame:
    """Return customer_id and expected value by the rule of thumb: average monthly value x months x retention.

    Retention is the share of the customers known one horizon ago who have bought since; where nobody was known then, 1.
    A customer younger than a month counts as a month old.
    """
    summary = summarise(days, as_of)
    seen = days[days["day"] <= day_number(as_of)]
    total = seen.groupby("customer_id")["amount"].sum().reindex(summary[config.ENTITY]).to_numpy()
    age = np.maximum(summary["T"].to_numpy() / config.WEEKS_PER_MONTH, 1.0)
    months = horizon_days / DAYS_PER_WEEK / config.WEEKS_PER_MONTH
    expected = total / age * months * _retention(seen, as_of, horizon_days)
    return pd.DataFrame({config.ENTITY: summary[config.ENTITY], "expected_value": expected})


def _retention(days: pd.DataFrame, as_of: date, horizon_days: int) -> float:
    earlier = date.fromordinal(as_of.toordinal() - horizon_days)
    known = days.loc[days["day"] <= day_number(earlier), "customer_id"].drop_duplicates()
    if known.empty:
        return 1.0
    return float((what_followed(days, known, earlier, as_of)["purchases"] > 0).mean())


def grade(caught: float, baseline_caught: float) -> str:
    """Return A (at least 5 % more of the best customers caught than by the baseline), B (not fewer) or C."""
    if caught >= 1.05 * baseline_caught:
        return "A"
    return "B" if caught >= baseline_caught else "C"
