"""Judge a fitted propensity model on rows it has not seen; never train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.metrics import grade as grade_of
from models_ml.core.metrics import probability_metrics, slice_metrics, thirds
from models_ml.core.propensity.rows import label, population
from models_ml.core.propensity.settings import Settings

MIN_SLICE_ROWS = 200


def evaluate(model: Any, frame: pd.DataFrame, settings: Settings, *, min_slice_rows: int) -> dict[str, Any]:
    """Return the metrics of `model` on the rows of `frame` that belong to the population.

    Returns
    -------
    dict
        See `models_ml.core.metrics.probability_metrics`; under ``"slices"`` the same by ``settings.SLICES`` and size (thirds of
        ``settings.SIZE_COLUMN``) where a value has `min_slice_rows` rows.
    """
    rows = frame[population(frame, settings)]
    probability, truth = model.probability(model.matrix(rows)), label(rows, settings)
    metrics: dict[str, Any] = probability_metrics(probability, truth)
    if settings.SIZE_COLUMN in rows.columns:
        rows = rows.assign(size=thirds(rows[settings.SIZE_COLUMN]))
    metrics["slices"] = slice_metrics(rows, probability, truth, (*settings.SLICES, "size"), min_slice_rows)
    return metrics


def predictions(model: Any, frame: pd.DataFrame, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return (probability, label) of the population in `frame`, for charts."""
    rows = frame[population(frame, settings)]
    return model.probability(model.matrix(rows)), label(rows, settings)


def grade(metrics: dict[str, Any], baseline_metrics: dict[str, Any], settings: Settings) -> str:
    """Return the grade of a model from its metrics and the baseline's on the same rows."""
    return grade_of(metrics[settings.PRIMARY_METRIC], baseline_metrics[settings.PRIMARY_METRIC])
