"""Rolling-origin backtest of methods, and the champion of each group.

A forecast is judged on periods that lie after everything it was fitted and calibrated on; nothing is judged in-sample.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models_ml.sales_forecast import config
from models_ml.sales_forecast.api import checked_horizon, future_rows
from models_ml.sales_forecast.intake import Panel, read_panel
from models_ml.sales_forecast.intervals import bounds, calibrate, future, mase_scales
from models_ml.sales_forecast.methods import BASELINE, METHODS
from models_ml.sales_forecast.points import predict

ORIGINS = 2
# A method that beats seasonal naive by less than this share has not shown that it is worth its keep.
LEAST_IMPROVEMENT = 0.0


def backtest(
    frame: pd.DataFrame,
    horizon: int,
    frequency: str,
    methods: tuple[str, ...] = ("ensemble", BASELINE),
    *,
    origins: int = ORIGINS,
) -> pd.DataFrame:
    """Forecast the last periods of each series from earlier origins, with every method.

    Parameters
    ----------
    frame, horizon, frequency
        As for `forecast`.
    methods : tuple of str
        Names of `METHODS`.
    origins : int
        The newest lies `horizon` periods before the end of each series, each other one half a horizon before the next.

    Returns
    -------
    DataFrame
        method, origin, unique_id, ds, step, y, forecast, lo80, hi80, lo95, hi95, scale (of MASE: mean absolute
        change over a season up to the origin). Series too short for an origin are not in it.
    """
    panel = read_panel(frame, frequency)
    steps = checked_horizon(horizon)
    parts = []
    for origin in range(origins):
        back = steps + origin * max(1, steps // 2)
        part = panel.take(panel.lengths > back)
        if len(part.ids):
            parts += [_judged(part, steps, back, name).assign(origin=origin) for name in methods]
    if not parts:
        return pd.DataFrame(columns=["method", "origin", "unique_id", "ds", "step", "y", "forecast", "scale"])
    return pd.concat(parts, ignore_index=True)


def _judged(panel: Panel, horizon: int, back: int, name: str) -> pd.DataFrame:
    """Return the rows of one method from one origin."""
    earlier = panel.cut(back)
    points = predict(earlier, horizon, METHODS[name])
    calibration = calibrate(earlier, horizon, METHODS[name])
    rows = future_rows(earlier, horizon).assign(
        method=name,
        step=np.tile(np.arange(1, horizon + 1), len(earlier.ids)),
        y=future(panel, earlier.lengths, horizon).ravel(),
        forecast=points.ravel(),
        scale=np.repeat(mase_scales(earlier), horizon),
    )
    for level in config.LEVELS:
        low, high = bounds(earlier, points, calibration, level)
        rows[f"lo{level}"], rows[f"hi{level}"] = low.ravel(), high.ravel()
    return rows


def summary(rows: pd.DataFrame, groups: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Judge the methods of a backtest, by group of series.

    Parameters
    ----------
    rows : DataFrame
        Of `backtest`.
    groups : mapping of unique_id to str, optional
        All series are one group where it is left out.

    Returns
    -------
    DataFrame
        group, method, series, mase (mean over series of the scaled error; series that never changed are left out), covered_80,
        covered_95 (shares of rows within the interval).
    """
    named = rows.assign(
        group="all" if groups is None else rows["unique_id"].map(groups),
        error=(rows["y"] - rows["forecast"]).abs() / rows["scale"].where(rows["scale"] > 0),
        covered_80=rows["y"].between(rows["lo80"], rows["hi80"]),
        covered_95=rows["y"].between(rows["lo95"], rows["hi95"]),
    )
    by_series = named.groupby(["group", "method", "unique_id"], as_index=False)[
        ["error", "covered_80", "covered_95"]
    ].mean()
    return by_series.groupby(["group", "method"], as_index=False).agg(
        series=("unique_id", "size"),
        mase=("error", "mean"),
        covered_80=("covered_80", "mean"),
        covered_95=("covered_95", "mean"),
    )


def champions(judged: pd.DataFrame) -> pd.DataFrame:
    """Choose each group's method: the smallest error, where it is smaller than seasonal naive's.

    Parameters
    ----------
    judged : DataFrame
        Of `summary`; every group has the baseline among its methods.

    Returns
    -------
    DataFrame
        group, method, mase, baseline_mase, reason.
    """
    table = judged.pivot(index="group", columns="method", values="mase")
    baseline = table[BASELINE]
    candidates = table.drop(columns=BASELINE).fillna(np.inf)
    best = candidates.min(axis=1)
    wins = best < baseline.fillna(np.inf) * (1 - LEAST_IMPROVEMENT)
    chosen = candidates.idxmin(axis=1).where(wins, BASELINE)
    result = pd.DataFrame(
        {"method": chosen, "mase": best.where(wins, baseline), "baseline_mase": baseline}
    ).reset_index()
    result["reason"] = [
        f"{row.method} was off by {row.mase:.3f} scaled changes on the backtest, seasonal naive by {row.baseline_mase:.3f}"
        if row.method != BASELINE
        else "no method was better than seasonal naive on the backtest"
        for row in result.itertuples()
    ]
    return result
