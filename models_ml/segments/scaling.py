"""From features of customers to coordinates in which distance means likeness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.segments import config


@dataclass(frozen=True)
class Scaling:
    """Centre, spread and limits of each feature that tells customers apart, after its logarithm.

    Attributes
    ----------
    features : tuple of str
        Features with more than one value; none when all customers are alike.
    low, high, mean, spread : (k,) ndarray
        In logarithms where the feature is logarithmic.
    """

    features: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    def coordinates(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the (n, k) coordinates of customers."""
        return self.of_logarithms(logarithms(frame, self.features))

    def of_logarithms(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of (n, k) values of `logarithms`."""
        weights = np.array([config.WEIGHTS[name] for name in self.features])
        return (np.clip(values, self.low, self.high) - self.mean) / self.spread * weights


def fit(frame: pd.DataFrame) -> Scaling:
    """Return the scaling of the customers in `frame`; features that it lacks, or that are constant, are left out."""
    names = tuple(name for name in config.WEIGHTS if name in frame.columns)
    values = logarithms(frame, names)
    low, high = np.quantile(values, config.CLIPPED_AT, axis=0) if len(values) else np.zeros((2, len(names)))
    clipped = np.clip(values, low, high)
    spread = clipped.std(axis=0) if len(values) else np.zeros(len(names))
    varies = spread > 1e-9
    return Scaling(
        tuple(name for name, use in zip(names, varies, strict=True) if use),
        low[varies],
        high[varies],
        clipped.mean(axis=0)[varies] if len(values) else low[varies],
        spread[varies],
    )


def logarithms(frame: pd.DataFrame, features: tuple[str, ...]) -> np.ndarray:
    """Return the (n, k) values of `features`, in log(1 + x) where config says so; unknown and negative ones count as 0."""
    values = np.nan_to_num(frame[list(features)].to_numpy(dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    values = np.maximum(values, 0.0)
    is_logarithmic = np.array([name in config.LOGARITHMIC for name in features], dtype=bool)
    return np.where(is_logarithmic, np.log1p(values), values)
