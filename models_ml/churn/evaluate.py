"""Judge a fitted model on rows it has not seen; never train."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models_ml.churn import config
from models_ml.core.propensity import judging


def evaluate(model: Any, frame: pd.DataFrame, *, min_slice_rows: int = judging.MIN_SLICE_ROWS) -> dict[str, Any]:
    """Return the metrics of `model` on the rows of `frame` that belong to the population, whole and by slice."""
    return judging.evaluate(model, frame, config, min_slice_rows=min_slice_rows)


def predictions(model: Any, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (probability, label) of the population in `frame`, for charts."""
    return judging.predictions(model, frame, config)


def grade(metrics: dict[str, Any], baseline_metrics: dict[str, Any]) -> str:
    """Return the grade of a model from its metrics and the baseline's on the same rows."""
    return judging.grade(metrics, baseline_metrics, config)
