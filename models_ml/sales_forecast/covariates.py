"""Gradient-boosted trees over all series at once, with what is known of the future: prices, promotions, holidays.

What is predicted is the value over the series' own value one season before, in units of its typical change, so that a
series without trend or promotion starts from seasonal naive. Lags shorter than the horizon are not read: one model serves
every step and nothing that the forecast day does not know leaks in.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xgboost as xgb

from models_ml.sales_forecast.config import SEED
from models_ml.sales_forecast.errors import ForecastInputError
from models_ml.sales_forecast.intake import COLUMNS, Panel, read_panel
from models_ml.sales_forecast.intervals import future
from models_ml.sales_forecast.points import predict

PARAMETERS = {
    "objective": "reg:absoluteerror",
    "max_depth": 6,
    "learning_rate": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "min_child_weight": 20,
    "tree_method": "hist",
    "nthread": 1,
    "seed": SEED,
}
ROUNDS = 300
# Changes by more than this many levels of the series are outliers that no tree should learn by heart.
MAX_RELATIVE_CHANGE = 3.0


def forecast_with_covariates(
    frame: pd.DataFrame,
    known: pd.DataFrame,
    horizon: int,
    frequency: str,
    *,
    weight: str | None = None,
    groups: pd.Series | None = None,
) -> pd.DataFrame:
    """Forecast with trees on covariates or with the ensemble, whichever was better for a group on the backtest.

    Parameters
    ----------
    frame : DataFrame
        unique_id, ds, y, as for `forecast`.
    known : DataFrame
        unique_id, ds and numeric columns, for the periods of `frame` and the `horizon` periods after each series; missing
        rows and values are allowed.
    weight : str, optional
        Column of `known` that weights rows when branches are compared (and trees fitted).
    groups : Series, optional
        Group of each unique_id (its index); all series are one group where it is left out.

    Returns
    -------
    DataFrame
        unique_id, ds, forecast, method (``trees``, ``ensemble``, or ``group_mean`` for a series without a value), group.

    Raises
    ------
    ForecastInputError
        As `forecast` does, and when `known` lacks columns.
    """
    covariates = _checked(known, weight)
    panel = read_panel(frame, frequency)
    rows = _future_and_past(panel, known, covariates, weight, horizon)
    group = pd.Series("all", index=panel.ids) if groups is None else groups.reindex(panel.ids).fillna("all").astype(str)
    use_trees = _choose(panel, rows, covariates, horizon, group.to_numpy())
    ensemble = predict(panel, horizon)
    trees = _trees(panel, rows, covariates, horizon)
    chosen = np.where(use_trees[:, None] & np.isfinite(trees), trees, ensemble)
    from_trees = use_trees[:, None] & np.isfinite(trees)
    method = np.where(from_trees, "trees", "ensemble").astype(object)
    chosen, method = _with_group_means(chosen, method, group.to_numpy())
    ordinals = panel.last[:, None] + np.arange(1, horizon + 1)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(panel.ids, horizon),
            "ds": panel.calendar.labels(ordinals.ravel()),
            "forecast": chosen.ravel(),
            "method": method.ravel(),
            "group": np.repeat(group.to_numpy(), horizon),
        }
    )


def _with_group_means(forecasts: np.ndarray, method: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (k, horizon) forecasts and methods in which series without any have the mean of their group, or of all."""
    is_missing = np.isnan(forecasts)
    if not is_missing.any() or is_missing.all():
        return forecasts, method
    table = pd.DataFrame(forecasts)
    means = table.groupby(group).transform("mean").fillna(table.mean())
    return np.where(is_missing, means, forecasts), np.where(is_missing, "group_mean", method)


def _checked(known: pd.DataFrame, weight: str | None) -> list[str]:
    """Return the names of the covariates."""
    if not {"unique_id", "ds"} <= set(known.columns) or (weight is not None and weight not in known.columns):
        raise ForecastInputError("what is known of the future needs unique_id, ds and the weight's column.")
    names = [name for name in known.columns if name not in (*COLUMNS, weight)]
    text = [name for name in names if not pd.api.types.is_numeric_dtype(known[name])]
    if text:
        raise ForecastInputError(f"covariates are numbers; {', '.join(text)} are not. Number their categories.")
    return names


def _future_and_past(
    panel: Panel, known: pd.DataFrame, covariates: list[str], weight: str | None, horizon: int
) -> pd.DataFrame:
    """Return one row a series and period (past, then `horizon` more): code, period, y, weight and the covariates."""
    lengths = panel.lengths + horizon
    code = np.repeat(np.arange(len(panel.ids)), lengths)
    position = np.arange(len(code)) - (np.cumsum(lengths) - lengths)[code]
    period = (panel.last - panel.lengths + 1)[code] + position
    y = np.full(len(code), np.nan)
    y[position < panel.lengths[code]] = panel.values
    rows = pd.DataFrame({"code": code, "period": period, "position": position, "y": y})
    ds = known["ds"] if panel.calendar.is_integer else pd.to_datetime(known["ds"])
    facts = known[[*covariates, *([weight] if weight else [])]].assign(
        code=pd.Index(panel.ids).get_indexer(known["unique_id"]), period=panel.calendar.ordinals(ds)
    )
    rows = rows.merge(facts.drop_duplicates(["code", "period"]), on=["code", "period"], how="left")
    rows["row_weight"] = rows[weight].fillna(1.0) if weight else 1.0
    return rows


def _choose(panel: Panel, rows: pd.DataFrame, covariates: list[str], horizon: int, group: np.ndarray) -> np.ndarray:
    """Return for which (k,) series the trees were better in their group, on the `horizon` periods before the end."""
    earlier = panel.cut(horizon)
    past = rows[rows["position"] < panel.lengths[rows["code"]]]
    trees = _trees(earlier, past, covariates, horizon)
    ensemble = predict(earlier, horizon)
    truth = future(panel, earlier.lengths, horizon)
    start = earlier.lengths[rows["code"]]
    last_rows = past[past["position"] >= start[past.index]]
    weights = np.zeros_like(truth)
    weights[last_rows["code"], last_rows["position"] - earlier.lengths[last_rows["code"]]] = last_rows["row_weight"]
    both = np.isfinite(truth) & np.isfinite(trees) & np.isfinite(ensemble)
    errors = pd.DataFrame(
        {
            "group": group,
            "trees": (weights * np.abs(np.where(both, trees - truth, 0))).sum(axis=1),
            "ensemble": (weights * np.abs(np.where(both, ensemble - truth, 0))).sum(axis=1),
        }
    )
    totals = errors.groupby("group")[["trees", "ensemble"]].sum()
    return pd.Series(group).map(totals["trees"] < totals["ensemble"]).to_numpy(dtype=bool)


def _trees(panel: Panel, rows: pd.DataFrame, covariates: list[str], horizon: int) -> np.ndarray:
    """Return the (k, horizon) forecasts of trees fitted on the past of `panel`; NaN where a series is too short for them."""
    table = _features(panel, rows, horizon)
    is_future = (table["position"] >= panel.lengths[table["code"]]).to_numpy()
    names = [*covariates, *(name for name in table.columns if name.startswith("own_"))]
    target = ((table["y"] - table["base"]) / table["level"]).clip(-MAX_RELATIVE_CHANGE, MAX_RELATIVE_CHANGE)
    fit = ~is_future & target.notna().to_numpy()
    found = np.full((len(panel.ids), horizon), np.nan)
    if fit.sum() < 10 * len(names):
        return found
    matrix = table[names].to_numpy(dtype=np.float32)
    importance = (table["row_weight"] * table["level"]).to_numpy()
    data = xgb.QuantileDMatrix(
        matrix[fit], label=target[fit], weight=importance[fit] / importance[fit].mean(), nthread=1
    )
    booster = xgb.train(PARAMETERS, data, num_boost_round=ROUNDS)
    ahead = table[is_future]
    value = ahead["base"] + ahead["level"] * booster.inplace_predict(matrix[is_future])
    found[ahead["code"], ahead["position"] - panel.lengths[ahead["code"]]] = value
    never_negative = np.bincount(panel.codes, weights=panel.values < 0, minlength=len(panel.ids)) == 0
    return np.where(never_negative[:, None], np.maximum(found, 0), found)


def _features(panel: Panel, rows: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Return the rows with base (the value a season before, or the level), level and own_* columns.

    Every lag is at least one horizon (or one season) old, so that past rows look as future rows do.
    """
    table = rows[rows["position"] < (panel.lengths + horizon)[rows["code"]]].copy()
    season = panel.season
    lag = season if season >= horizon else season * -(-horizon // season)
    known = table["y"].where(table["position"] < panel.lengths[table["code"]])
    series = known.groupby(table["code"])
    level = known.abs().groupby(table["code"]).rolling(max(season, 4), min_periods=1).mean().droplevel(0)
    old_level = level.groupby(table["code"]).shift(lag)
    nearest = level.groupby(table["code"]).shift(horizon)
    table["base"] = series.shift(lag).fillna(nearest)
    table["level"] = nearest.fillna(old_level).clip(lower=1e-9)
    table["y"] = known
    for step in (-2, -1, 1, 2):
        if lag + step >= horizon:
            table[f"own_{step}"] = (series.shift(lag + step) - table["base"]) / table["level"]
    table["own_year_change"] = (nearest - level.groupby(table["code"]).shift(horizon + season)) / table["level"]
    table["own_base"] = table["base"] / table["level"]
    table["own_place"] = table["period"] % season
    table["own_size"] = np.log1p(table["level"])
    return table
