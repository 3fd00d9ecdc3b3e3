"""Stacking: weights for different methods, fitted on what each forecast from an earlier origin."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from models_ml.sales_forecast.intake import Panel
from models_ml.sales_forecast.intervals import future, scales
from models_ml.sales_forecast.lags import lag_method
from models_ml.sales_forecast.points import Method, ensemble, single
from models_ml.sales_forecast.rules import MIN_TREND_LENGTH

STACKED: tuple[Method, ...] = (
    ensemble,
    single("seasonal_naive"),
    lag_method("linear_regression"),
    lag_method("xgboost"),
)
# Pulls the weights towards each other: this many scaled errors' worth of belief in the plain mean.
SHRINKAGE = 20.0


def stacked(panel: Panel, horizon: int) -> np.ndarray:
    """Return the (k, horizon) weighted mean of `STACKED`; the weights are not negative and sum to 1."""
    forecasts = np.stack([method(panel, horizon) for method in STACKED], axis=2)
    return forecasts @ weights(panel, horizon)


def weights(panel: Panel, horizon: int) -> np.ndarray:
    """Return one weight a method, by non-negative least squares on the scaled values after an earlier origin."""
    equal = np.full(len(STACKED), 1 / len(STACKED))
    part = panel.take(panel.lengths >= horizon + max(MIN_TREND_LENGTH, 2 * panel.season + 1 if panel.season > 1 else 0))
    if not len(part.ids):
        return equal
    earlier = part.cut(horizon)
    scale = scales(earlier)
    use = scale > 0
    if not use.any():
        return equal
    truth = future(part, earlier.lengths, horizon)[use] / scale[use, None]
    found = np.stack([method(earlier, horizon)[use] for method in STACKED], axis=2) / scale[use, None, None]
    # Errors of each method against the truth: weights that sum to 1 make the combination's error their weighted sum.
    errors = (found - truth[:, :, None]).reshape(-1, len(STACKED))
    prior = np.sqrt(SHRINKAGE) * (np.eye(len(STACKED)) - 1 / len(STACKED))
    total = 1e3 * np.sqrt(np.mean(errors**2) * len(errors) + 1)
    system = np.vstack([errors, prior, np.full((1, len(STACKED)), total)])
    solved, _ = nnls(system, np.concatenate([np.zeros(len(errors) + len(prior)), [total]]))
    return solved / solved.sum() if solved.sum() > 0 else equal
