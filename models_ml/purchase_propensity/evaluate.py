"""Judge a fitted model on rows it has not seen; never train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.blend import BlendModel
from models_ml.core.metrics import grade as grade_of
from models_ml.core.metrics import probability_metrics, slice_metrics, thirds
from models_ml.purchase_propensity import config
from models_ml.purchase_propensity.features import label, population
from models_ml.purchase_propensity.predict import predict


def evaluate(model: BlendModel, frame: pd.DataFrame, *, min_slice_rows: int = config.MIN_SLICE_ROWS) -> dict[str, Any]:
    """Return the metrics of `model` on the rows of `frame` that belong to the population.

    Returns
    -------
    dict
        See `models_ml.core.metrics.probability_metrics`; under ``"slices"`` the same by kind, country, region, industry and
        size (thirds of the revenue so far) where a value has `min_slice_rows` rows.
    """
    rows = frame[population(frame)]
    probability, truth = predict(model, rows), label(rows)
    metrics: dict[str, Any] = probability_metrics(probability, truth)
    if config.SIZE_COLUMN in rows.columns:
        rows = rows.assign(size=thirds(rows[config.SIZE_COLUMN]))
    metrics["slices"] = slice_metrics(rows, probability, truth, (*config.SLICES, "size"), min_slice_rows)
    return metrics


def predictions(model: BlendModel, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (probability, label) of the population in `frame`, for charts."""
    rows = frame[population(frame)]
    return predict(model, rows), label(rows)


def grade(metrics: dict[str, Any], baseline_metrics: dict[str, Any]) -> str:
    """Return the grade of a model from its metrics and the baseline's on the same rows."""
    return grade_of(metrics[config.PRIMARY_METRIC], baseline_metrics[config.PRIMARY_METRIC])
