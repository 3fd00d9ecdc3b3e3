"""Statsforecast on a whole panel: one call for all series and all members."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsforecast import StatsForecast, models

from models_ml.sales_forecast.intake import Panel

# A member that leaves the range of the series by more than this many times its width has broken down (an unstable root, a
# variance of zero) and is left out of the combination.
MAX_RANGES_AWAY = 20

MEMBERS: dict[str, Callable[[int], Any]] = {
    "last_value": lambda m: models.Naive(alias="last_value"),
    "drift": lambda m: models.RandomWalkWithDrift(alias="drift"),
    "seasonal_naive": lambda m: models.SeasonalNaive(m, alias="seasonal_naive"),
    "smoothed_level": lambda m: models.SimpleExponentialSmoothingOptimized(alias="smoothed_level"),
    "ets": lambda m: models.AutoETS(m, alias="ets"),
    "ets_damped": lambda m: models.AutoETS(m, damped=True, alias="ets_damped"),
    "ets_additive": lambda m: models.AutoETS(m, model="AAA" if m > 1 else "AAN", damped=True, alias="ets_additive"),
    "holt_winters": lambda m: models.AutoETS(m, model="AAA" if m > 1 else "AAN", damped=False, alias="holt_winters"),
    "ces": lambda m: models.AutoCES(m, alias="ces"),
    "ces_partial": lambda m: models.AutoCES(m, model="P" if m > 1 else "N", alias="ces_partial"),
    "theta": lambda m: models.DynamicOptimizedTheta(m, alias="theta"),
    "theta_optimised": lambda m: models.OptimizedTheta(m, alias="theta_optimised"),
    "theta_additive": lambda m: models.DynamicOptimizedTheta(m, decomposition_type="additive", alias="theta_additive"),
    "arima": lambda m: models.ARIMA(order=(0, 1, 1), include_drift=True, season_length=1, alias="arima"),
    "arima_trend": lambda m: models.ARIMA(order=(0, 2, 1), season_length=1, alias="arima_trend"),
    "sarima": lambda m: models.ARIMA(
        order=(0, 1, 1), season_length=m, seasonal_order=(0, 1, 1) if m > 1 else (0, 0, 0), alias="sarima"
    ),
    "auto_arima": lambda m: models.AutoARIMA(season_length=m, alias="auto_arima"),
    "teunter_syntetos_babai": lambda m: models.TSB(0.1, 0.1, alias="teunter_syntetos_babai"),
}
LOG_SUFFIX = "_log"


def member_forecasts(panel: Panel, members: Sequence[str], horizon: int, season: int) -> np.ndarray:
    """Forecast every series of `panel` (none empty) with every member.

    Parameters
    ----------
    members : sequence of str
        Names of `MEMBERS`; with ``_log`` at the end on logarithms of 1 + value, for series without negative values.

    Returns
    -------
    ndarray of shape (k, horizon, len(members))
        NaN where a member broke down.
    """
    forecasts = np.full((len(panel.ids), horizon, len(members)), np.nan)
    for is_log in (False, True):
        chosen = [place for place, name in enumerate(members) if name.endswith(LOG_SUFFIX) == is_log]
        if chosen:
            names = [members[place].removesuffix(LOG_SUFFIX) for place in chosen]
            forecasts[:, :, chosen] = _call(panel, names, horizon, season, is_log)
    return _without_breakdowns(panel, forecasts)


def _call(panel: Panel, names: list[str], horizon: int, season: int, is_log: bool) -> np.ndarray:
    """Return (k, horizon, members) of one call of statsforecast."""
    values = np.log1p(panel.values) if is_log else panel.values
    codes = panel.codes
    frame = pd.DataFrame({"unique_id": codes, "ds": np.arange(len(codes)) - panel.indptr[codes], "y": values})
    engine = StatsForecast([MEMBERS[name](season) for name in names], freq=1, fallback_model=models.Naive())
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a series shorter than its season: its member is left out below
        found = engine.forecast(h=horizon, df=frame)[names].to_numpy()
        forecasts = np.expm1(found) if is_log else found
    return forecasts.reshape(len(panel.ids), horizon, len(names))


def _without_breakdowns(panel: Panel, forecasts: np.ndarray) -> np.ndarray:
    """Return `forecasts` with NaN for members (per series) that are not finite or far out of the series' range."""
    starts = panel.indptr[:-1]
    highest, lowest = np.maximum.reduceat(panel.values, starts), np.minimum.reduceat(panel.values, starts)
    width = np.maximum(highest - lowest, 1e-9 * np.maximum(np.abs(highest), np.abs(lowest)))
    allowed = MAX_RANGES_AWAY * width[:, None, None]
    with np.errstate(invalid="ignore"):
        is_sound = (forecasts <= highest[:, None, None] + allowed) & (forecasts >= lowest[:, None, None] - allowed)
    return np.where(is_sound.all(axis=1, keepdims=True), forecasts, np.nan)
