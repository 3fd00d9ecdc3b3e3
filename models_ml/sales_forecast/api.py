"""Forecast a frame of series: the function that users and agents call."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.sales_forecast import config
from models_ml.sales_forecast.errors import ForecastInputError
from models_ml.sales_forecast.frequency import Frequency
from models_ml.sales_forecast.intake import Panel, read_panel
from models_ml.sales_forecast.intervals import bounds, calibrate
from models_ml.sales_forecast.points import Method, predict
from models_ml.sales_forecast.rules import explain_panel

FORECAST_COLUMNS = ("unique_id", "ds", "forecast", "lo80", "hi80", "lo95", "hi95")
MAX_HORIZON = 1000


def forecast(frame: pd.DataFrame, horizon: int, frequency: str) -> pd.DataFrame:
    """Forecast each series with intervals of 80 and 95 %.

    Parameters
    ----------
    frame : DataFrame
        unique_id, ds (dates, or integers that number the periods) and y; one row a period, any order.
    horizon : int
        Periods ahead, at least 1; counted from the last row of each series.
    frequency : str
        pandas alias that also sets the season: YE (1), QE (4), ME (12), W (52), D (7), or their starts and anchors.

    Returns
    -------
    DataFrame
        unique_id, ds, forecast, lo80, hi80, lo95, hi95; `horizon` rows a series, sorted. `ds` continues the way the
        input is dated. Missing values only for series without a usable value; `explain` says why.

    Raises
    ------
    ForecastInputError
        For input that no rule can settle, with a sentence that says where and what to do.
    """
    steps = checked_horizon(horizon)
    panel = read_panel(frame, frequency)
    return forecast_panel(panel, steps)


def forecast_panel(panel: Panel, horizon: int, method: Method | None = None) -> pd.DataFrame:
    """Return what `forecast` does, from a panel and optionally with a method of one's choice."""
    points = predict(panel, horizon, method)
    calibration = calibrate(panel, horizon, method)
    table = future_rows(panel, horizon).assign(forecast=points.ravel())
    for level in config.LEVELS:
        low, high = bounds(panel, points, calibration, level)
        table[f"lo{level}"], table[f"hi{level}"] = low.ravel(), high.ravel()
    return table


def explain(frame: pd.DataFrame, frequency: str) -> pd.DataFrame:
    """Say for each series which rule it falls under, and why.

    Returns
    -------
    DataFrame
        unique_id, observations, rule, method, reason, interpolated, set_to_zero, copies_left_out, infinite_values.

    Raises
    ------
    ForecastInputError
        As `forecast` does.
    """
    return explain_panel(read_panel(frame, frequency))


def season_of(frequency: str) -> int:
    """Return the number of periods in a season of `frequency`."""
    return Frequency.parse(frequency).season


def checked_horizon(horizon: int) -> int:
    """Return `horizon` as an int, or say what is wrong with it."""
    if isinstance(horizon, bool) or not isinstance(horizon, (int, np.integer)) or not 1 <= horizon <= MAX_HORIZON:
        raise ForecastInputError(
            f"horizon {horizon!r} is not a whole number of periods from 1 to {MAX_HORIZON}: there is nothing to forecast."
        )
    return int(horizon)


def future_rows(panel: Panel, horizon: int) -> pd.DataFrame:
    """Return unique_id and ds of the `horizon` periods that follow each series."""
    ordinals = panel.last[:, None] + np.arange(1, horizon + 1)
    return pd.DataFrame({"unique_id": np.repeat(panel.ids, horizon), "ds": panel.calendar.labels(ordinals.ravel())})
