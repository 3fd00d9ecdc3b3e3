"""Point forecasts of a panel: each series by the rule it falls under."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models_ml.sales_forecast import config
from models_ml.sales_forecast.config import Ensemble
from models_ml.sales_forecast.engine import member_forecasts
from models_ml.sales_forecast.intake import Panel
from models_ml.sales_forecast.rules import classify

Method = Callable[[Panel, int], np.ndarray]
# Rules whose series are worth a method of one's choice; the others leave nothing to choose.
FREE_RULES = ("regular", "negative", "one_season", "short")


def predict(panel: Panel, horizon: int, method: Method | None = None) -> np.ndarray:
    """Return the (k, horizon) forecasts; NaN for series without a value.

    Parameters
    ----------
    method : callable of (Panel, horizon), optional
        Forecasts the series that are neither odd nor empty; the default ensemble otherwise.
    """
    rule = classify(panel)
    forecasts = np.full((len(panel.ids), horizon), np.nan)
    for name in np.unique(rule):
        chosen = rule == name
        part = panel.take(chosen)
        chosen_method = method if method is not None and name in FREE_RULES else BY_RULE[str(name)]
        forecasts[chosen] = chosen_method(part, horizon)
    return np.where(_never_negative(panel)[:, None], np.maximum(forecasts, 0), forecasts)


def ensemble(panel: Panel, horizon: int) -> np.ndarray:
    """Return the default for series with nothing odd about them."""
    if panel.season == 1:
        return combined(panel, horizon, config.ENSEMBLE_WITHOUT_SEASON, 1)
    long = panel.season > config.LONG_SEASON
    return combined(panel, horizon, config.ENSEMBLE_LONG_SEASON if long else config.ENSEMBLE_WITH_SEASON, panel.season)


def combined(panel: Panel, horizon: int, setting: Ensemble, season: int) -> np.ndarray:
    """Return the mean or median of an ensemble's members; the last value where every member broke down."""
    forecasts = member_forecasts(panel, setting.members, horizon, season)
    is_lost = np.isnan(forecasts).all(axis=2)
    forecasts[is_lost] = np.repeat(_last_values(panel), horizon).reshape(is_lost.shape)[is_lost][:, None]
    return (np.nanmedian if setting.combine == "median" else np.nanmean)(forecasts, axis=2)


def without_season(panel: Panel, horizon: int) -> np.ndarray:
    """Return the ensemble of yearly data, for series that are too short to show their season."""
    return combined(panel, horizon, config.ENSEMBLE_WITHOUT_SEASON, 1)


def additive(panel: Panel, horizon: int) -> np.ndarray:
    """Return an ensemble of additive members, for series with negative values."""
    season = panel.season
    if season == 1:
        return without_season(panel, horizon)
    setting = config.ENSEMBLE_LONG_SEASON if season > config.LONG_SEASON else config.ENSEMBLE_ADDITIVE
    return combined(panel, horizon, setting, season)


def single(member: str) -> Method:
    """Return the method that is one member of `engine.MEMBERS`."""
    return lambda panel, horizon: combined(panel, horizon, Ensemble((member,), "mean"), panel.season)


def _last_values(panel: Panel) -> np.ndarray:
    return panel.values[panel.indptr[1:] - 1]


def _never_negative(panel: Panel) -> np.ndarray:
    """Return which (k,) series have never been below 0; sales of theirs will not be either."""
    return np.bincount(panel.codes, weights=panel.values < 0, minlength=len(panel.ids)) == 0


BY_RULE: dict[str, Method] = {
    "no_value": lambda panel, horizon: np.full((len(panel.ids), horizon), np.nan),
    "zeros": lambda panel, horizon: np.zeros((len(panel.ids), horizon)),
    "one_value": lambda panel, horizon: np.repeat(_last_values(panel)[:, None], horizon, axis=1),
    "constant": lambda panel, horizon: np.repeat(_last_values(panel)[:, None], horizon, axis=1),
    "very_short": single("smoothed_level"),
    "one_season": single("seasonal_naive"),
    "short": without_season,
    "intermittent": single("teunter_syntetos_babai"),
    "negative": additive,
    "regular": ensemble,
}
