"""From rows of the feature table to what a propensity model reads."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.core.blend import float_matrix
from models_ml.core.propensity.settings import Settings


def population(frame: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Return the (n,) mask of rows that the model is for."""
    return frame[settings.POPULATION].fillna(False).to_numpy(dtype=bool)


def label(frame: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Return the (n,) labels, 1.0 where it happened within the horizon."""
    return frame[settings.LABEL].to_numpy(dtype=np.float64)


def usable_features(frame: pd.DataFrame, settings: Settings, excluded: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the model's features that are in `frame`, not `excluded`, and not the same value in every row.

    A company without a table (no tickets, no web tracking) has constant columns there; they would cost time and say
    nothing.
    """
    present = [name for name in settings.FEATURES if name in frame.columns and name not in excluded]
    matrix = float_matrix(frame, tuple(present))
    known = ~np.isnan(matrix)
    lowest = np.where(known, matrix, np.inf).min(axis=0, initial=np.inf)
    highest = np.where(known, matrix, -np.inf).max(axis=0, initial=-np.inf)
    varies = (highest > lowest) | (known.any(axis=0) & ~known.all(axis=0))
    return tuple(name for name, use in zip(present, varies, strict=True) if use)
