"""Regression on lags and calendar, one model for all series of a panel.

Every series is divided by its own mean absolute value, so that one model learns from large and small ones alike. What is
predicted is the change against the value one season before (one period, without a season), which lets trees follow a trend.
Forecasts are recursive: each step's prediction is a lag of the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xgboost as xgb
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from models_ml.sales_forecast.config import SEED
from models_ml.sales_forecast.intake import Panel
from models_ml.sales_forecast.points import Method
from models_ml.sales_forecast.reservoir import Reservoir

MAX_RECENT_LAGS = 6
MAX_TRAINING_ROWS = 50_000

REGRESSORS: dict[str, Callable[[], Any]] = {
    "linear_regression": lambda: make_pipeline(StandardScaler(), Ridge(1.0)),
    "polynomial_regression": lambda: make_pipeline(
        StandardScaler(), PolynomialFeatures(2, include_bias=False), StandardScaler(), Ridge(100.0)
    ),
    "xgboost": lambda: xgb.XGBRegressor(
        n_estimators=150,
        max_depth=4,
        learning_rate=0.06,
        subsample=0.8,
        tree_method="hist",
        n_jobs=1,
        random_state=SEED,
    ),
    "random_forest": lambda: RandomForestRegressor(
        60, min_samples_leaf=5, max_features=0.5, n_jobs=1, random_state=SEED
    ),
    # changes are small against the level: without scaling the target, the network would learn little but its own start
    "neural_network": lambda: TransformedTargetRegressor(
        make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(32, 16), alpha=0.1, tol=1e-3, max_iter=300, random_state=SEED),
        ),
        transformer=StandardScaler(),
    ),
    "recurrent_network": Reservoir,
}


def lag_method(name: str) -> Method:
    """Return the method that fits ``REGRESSORS[name]`` on the panel and rolls it forward."""
    return lambda panel, horizon: _forecast(panel, horizon, REGRESSORS[name]())


def _forecast(panel: Panel, horizon: int, regressor: Any) -> np.ndarray:
    """Return the (k, horizon) forecasts."""
    season = panel.season
    width = season + 1 if season > 1 else min(MAX_RECENT_LAGS, int(panel.lengths.min()) - 1)
    width = max(2, min(width, int(panel.lengths.min()) - 1))
    base = season if width > season > 1 else 1
    level = np.bincount(panel.codes, weights=np.abs(panel.values), minlength=len(panel.ids)) / panel.lengths
    level = np.where(level > 0, level, 1.0)
    scaled = panel.values / level[panel.codes]
    windows, following, place = _windows(panel, scaled, width)
    if len(windows) < 2:
        return np.repeat(panel.values[panel.indptr[1:] - 1][:, None], horizon, axis=1)
    regressor.fit(features(windows, place, season), following - windows[:, -base])
    history = scaled[panel.indptr[1:, None] - width + np.arange(width)]  # (k, width), newest last
    forecasts = np.empty((len(panel.ids), horizon))
    for step in range(horizon):
        window = history[:, -width:]
        change = regressor.predict(features(window, panel.last + 1 + step, season))
        forecasts[:, step] = window[:, -base] + change
        history = np.column_stack([history, forecasts[:, step]])
    return forecasts * level[:, None]


def _windows(panel: Panel, scaled: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (n, width) windows, the (n,) values that follow, and the (n,) numbers of their periods; evenly thinned."""
    position = np.arange(len(scaled)) - panel.indptr[panel.codes]
    target = np.flatnonzero(position >= width)
    if len(target) > MAX_TRAINING_ROWS:
        target = target[np.linspace(0, len(target) - 1, MAX_TRAINING_ROWS).round().astype(int)]
    windows = scaled[target[:, None] - width + np.arange(width)]
    period = (panel.last - panel.lengths + 1)[panel.codes[target]] + position[target]
    return windows, scaled[target], period


def features(windows: np.ndarray, period: np.ndarray, season: int) -> np.ndarray:
    """Return the (n, f) inputs: recent changes, level, changes a season ago and the place in the season.

    Parameters
    ----------
    windows : ndarray of shape (n, width)
        Newest last.
    period : ndarray of shape (n,)
        Number of the period that is predicted.
    """
    recent = windows[:, -min(MAX_RECENT_LAGS, windows.shape[1]) :]
    columns = [recent - windows.mean(axis=1, keepdims=True), windows.mean(axis=1, keepdims=True)]
    if season > 1:
        angle = 2 * np.pi * (period % season) / season
        columns.append(np.column_stack([np.sin(angle), np.cos(angle)]))
        if windows.shape[1] > season:
            columns.append(windows[:, [-season, -season - 1]] - windows[:, [-1]])
    return np.column_stack(columns)
