"""Judge predictions by what was bought afterwards; never train."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.charts import group_chart
from models_ml.core.metrics import thirds
from models_ml.lifetime_value import config
from models_ml.lifetime_value.history import what_followed
from models_ml.lifetime_value.valuer import Valuer, days_of


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
        "rmse": _rmse(predicted, actual),
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


def evaluate(
    model: Valuer, frame: pd.DataFrame, *, cutoff: date, min_slice_rows: int = config.MIN_SLICE_ROWS
) -> dict[str, Any]:
    """Return the metrics of `model`, asked on the evening of `cutoff`, on what its customers brought afterwards.

    Parameters
    ----------
    frame : DataFrame
        Purchases (`valuer.COLUMNS`) up to the end of the horizon: what lies after `cutoff` is judged on, and nothing else.
    min_slice_rows : int
        Customers from which a third by size (their value so far) is judged by itself.

    Returns
    -------
    dict
        Those of `metrics`, ``mean`` (actual, a customer), and ``slices`` with n and rmse.
    """
    predicted, actual = predictions(model, frame, cutoff)
    value, worth = predicted["expected_value"].to_numpy(), actual["value"].to_numpy()
    found = metrics(value, worth, predicted["purchases"].to_numpy() - 1)
    third = thirds(predicted["value_so_far"])
    slices = {
        f"size={name}": {"n": int(rows.sum()), "rmse": _rmse(value[rows], worth[rows])}
        for name in ("small", "medium", "large")
        if (rows := (third == name).to_numpy()).sum() >= max(min_slice_rows, 1)
    }
    return {**found, "mean": float(worth.mean()), "slices": slices}


def predictions(model: Valuer, frame: pd.DataFrame, cutoff: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what `model` says on the evening of `cutoff` (`Valuer.values`, and value_so_far), and what followed.

    Raises
    ------
    ValueError
        When nobody had bought by then.
    """
    known = days_of(frame, cutoff)
    if known.empty:
        raise ValueError(f"nobody had bought by {cutoff}, so there is nobody to judge on")
    predicted = model.values(known, cutoff)
    so_far = known.groupby(config.ENTITY)["amount"].sum().reindex(predicted[config.ENTITY]).to_numpy()
    until = pd.to_datetime(frame["bought_on"]).max().date()
    actual = what_followed(days_of(frame, until), predicted[config.ENTITY], cutoff, until)
    return predicted.assign(value_so_far=so_far), actual


def charts(model: Valuer, baseline: Valuer, frame: pd.DataFrame, *, cutoff: date) -> dict[str, bytes]:
    """Draw predicted and actual value a customer by repeat purchases, of model and baseline."""
    bars: dict[str, np.ndarray] = {}
    names: list[str] = []
    for name, fitted in (("model", model), ("baseline", baseline)):
        predicted, actual = predictions(fitted, frame, cutoff)
        groups = by_frequency(
            predicted["expected_value"].to_numpy(), actual["value"].to_numpy(), predicted["purchases"].to_numpy() - 1
        )
        names = [group["group"] for group in groups]
        bars[name] = np.array([group["predicted"] / group["customers"] for group in groups])
        bars["actual"] = np.array([group["actual"] / group["customers"] for group in groups])
    title = "Value a customer in the holdout"
    return {"calibration.png": group_chart(title, "repeat purchases before it", "mean value", names, bars)}


def grade(found: dict[str, Any], of_baseline: dict[str, Any]) -> str:
    """Return the grade of metrics against the baseline's on the same holdout; C where nobody brought anything."""
    caught, by_rule = found["top_20_caught"], of_baseline["top_20_caught"]
    return "C" if caught is None or by_rule is None else grade_of_caught(caught, by_rule)


def grade_of_caught(caught: float, baseline_caught: float) -> str:
    """Return A (at least 5 % more of the best customers caught than by the baseline), B (not fewer) or C."""
    if caught >= 1.05 * baseline_caught and caught > 0:
        return "A"
    return "B" if caught >= baseline_caught else "C"


def _rmse(predicted: np.ndarray, actual: np.ndarray) -> float:
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))
