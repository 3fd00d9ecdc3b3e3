"""Metrics of predicted probabilities on rows that the model has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.calibration import logistic_newton

CALIBRATION_BINS = 10
TOP_SHARE = 0.1


def probability_metrics(probability: np.ndarray, label: np.ndarray) -> dict[str, float | int | None]:
    """Return n, base_rate, brier, auc, log_loss, calibration and lift of (n,) `probability` against 0/1 `label`.

    Where only one class is present, what needs two (AUC, the calibration line) is None.
    """
    label = label.astype(np.float64)
    clipped = np.clip(probability, 1e-12, 1 - 1e-12)
    metrics: dict[str, float | int | None] = {
        "n": len(label),
        "base_rate": float(label.mean()),
        "mean_probability": float(probability.mean()),
        "brier": float(np.mean((probability - label) ** 2)),
        "log_loss": float(-np.mean(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))),
        "auc": area_under_curve(probability, label),
        "expected_calibration_error": expected_calibration_error(probability, label),
        "calibration_slope": None,
        "calibration_intercept": None,
        "lift_top_10_percent": lift(probability, label),
    }
    if metrics["auc"] is not None:
        line = np.column_stack([np.ones(len(label)), np.log(clipped) - np.log1p(-clipped)])
        intercept, slope = logistic_newton(line, label, np.array([0.0, 1.0]))
        metrics |= {"calibration_slope": float(slope), "calibration_intercept": float(intercept)}
    return metrics


def area_under_curve(score: np.ndarray, label: np.ndarray) -> float | None:
    """Return the area under the ROC curve (the rank statistic of Mann and Whitney), None with one class only."""
    positives = int(label.sum())
    negatives = len(label) - positives
    if not positives or not negatives:
        return None
    ranks = pd.Series(score).rank().to_numpy()
    return float((ranks[label > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def expected_calibration_error(probability: np.ndarray, label: np.ndarray) -> float:
    """Return the mean distance between predicted and observed rate over ten bins of equal size."""
    table = calibration_table(probability, label)
    return float((table["n"] * (table["predicted"] - table["observed"]).abs()).sum() / table["n"].sum())


def calibration_table(probability: np.ndarray, label: np.ndarray, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """Return columns n, predicted, observed: one row for each bin of equal size, from low to high probability."""
    order = np.argsort(probability, kind="stable")
    bin_number = np.empty(len(order), dtype=int)
    bin_number[order] = np.arange(len(order)) * bins // max(len(order), 1)
    frame = pd.DataFrame({"bin": bin_number, "predicted": probability, "observed": label})
    means = frame.groupby("bin").agg(
        n=("observed", "size"), predicted=("predicted", "mean"), observed=("observed", "mean")
    )
    return means.reset_index(drop=True)


def lift(probability: np.ndarray, label: np.ndarray, share: float = TOP_SHARE) -> float | None:
    """Return how many times the base rate is reached among the `share` of rows with the highest probability."""
    rate = label.mean()
    if rate == 0:
        return None
    top = np.argsort(-probability, kind="stable")[: max(1, math.ceil(share * len(label)))]
    return float(label[top].mean() / rate)


def slice_metrics(
    frame: pd.DataFrame, probability: np.ndarray, label: np.ndarray, columns: Sequence[str], min_rows: int
) -> dict[str, dict[str, Any]]:
    """Return n, auc, brier and base_rate of each value of `columns` with at least `min_rows` rows, by "column=value"."""
    found = {}
    for column in columns:
        if column not in frame.columns:
            continue
        values = frame[column].astype("object").where(frame[column].notna(), "unknown").to_numpy()
        counts = pd.Series(values).value_counts()
        if len(counts) < 2:
            continue  # the whole holdout under another name
        for value in sorted(str(name) for name in counts[counts >= min_rows].index):
            rows = values.astype(str) == value
            part, truth = probability[rows], label[rows].astype(np.float64)
            found[f"{column}={value}"] = {
                "n": int(rows.sum()),
                "base_rate": float(truth.mean()),
                "auc": area_under_curve(part, truth),
                "brier": float(np.mean((part - truth) ** 2)),
            }
    return found


def thirds(values: pd.Series) -> pd.Series:
    """Return "small", "medium" or "large" for each value, by thirds of the rows; equal values stay together."""
    place = values.rank(pct=True, method="average")
    names = np.select([place <= 1 / 3, place <= 2 / 3, place.notna()], ["small", "medium", "large"], default="unknown")
    return pd.Series(names, index=values.index, dtype=object)


def grade(error: float, baseline_error: float) -> str:
    """Return A (error at least 5 % below the baseline's), B (not above it) or C, on the same holdout."""
    improvement = relative_improvement(error, baseline_error)
    if improvement >= 0.05:
        return "A"
    return "B" if improvement >= 0 else "C"


def relative_improvement(error: float, baseline_error: float) -> float:
    """Return by which share `error` lies below `baseline_error` (negative: above)."""
    return 1 - error / baseline_error if baseline_error > 0 else 0.0
