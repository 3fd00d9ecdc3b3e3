"""Prediction intervals from rolling-origin residuals.

Split conformal, pooled over series: the panel is cut at earlier origins, forecast again, and the residuals are divided by a
scale of each series (how much it changes from period to period, or from season to season). Their signed quantiles by step,
times a series' own scale, are its interval; no distribution is assumed, and methods without intervals of their own have them
too. Lei et al. (2018), "Distribution-free predictive inference for regression", J. Am. Stat. Assoc. 113.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from models_ml.sales_forecast import config
from models_ml.sales_forecast.intake import Panel
from models_ml.sales_forecast.points import Method, predict
from models_ml.sales_forecast.rules import MIN_TREND_LENGTH, classify

# Fewer residuals of a step than this say nothing about its tails; the step borrows from the nearest one that has more.
MIN_RESIDUALS = 8
# A panel of one or two series has few residuals; they are widened towards what normal errors growing with the square root
# of the step would have, counted as this many residuals.
PRIOR_RESIDUALS = 10
# The mean absolute change of a random walk with normal steps is this share of their standard deviation.
MEAN_ABSOLUTE_NORMAL = 0.798


@dataclass(frozen=True)
class Calibration:
    """Quantiles of scaled residuals.

    Parameters
    ----------
    lower, upper : dict of float to ndarray of shape (horizon,)
        By level in percent.
    residuals : int
        How many rolling-origin residuals they come from.
    """

    lower: dict[float, np.ndarray]
    upper: dict[float, np.ndarray]
    residuals: int


def calibrate(
    panel: Panel, horizon: int, method: Method | None = None, levels: Sequence[float] = config.LEVELS
) -> Calibration:
    """Return the quantiles of the panel's own rolling-origin residuals; later steps are never narrower than earlier ones."""
    steps, residuals = scaled_residuals(panel, horizon, method)
    return quantiles(steps, residuals, horizon, levels)


def bounds(
    panel: Panel, forecasts: np.ndarray, calibration: Calibration, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (k, horizon) ends of the interval of `level` percent around (k, horizon) `forecasts`."""
    scale = scales(panel)[:, None]
    low, high = forecasts + scale * calibration.lower[level], forecasts + scale * calibration.upper[level]
    has_negative = np.bincount(panel.codes, weights=panel.values < 0, minlength=len(panel.ids)) > 0
    low = np.where(has_negative[:, None], low, np.maximum(low, 0))
    return np.minimum(low, forecasts), np.maximum(high, forecasts)


def scaled_residuals(panel: Panel, horizon: int, method: Method | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the (r,) steps and (r,) residuals (truth less forecast, over the scale) from earlier origins."""
    usable = ~np.isin(classify(panel), ("no_value", "zeros", "one_value", "constant"))
    sample = panel.take(_spread(usable, config.CALIBRATION_FORECASTS))
    if not len(sample.ids):
        return np.empty(0, dtype=int), np.empty(0)
    origins = int(np.clip(-(-config.CALIBRATION_FORECASTS // len(sample.ids)), 1, config.MAX_ORIGINS))
    parts = [_residuals_at(sample, horizon, origin, method) for origin in range(origins)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _residuals_at(panel: Panel, horizon: int, origin: int, method: Method | None) -> tuple[np.ndarray, np.ndarray]:
    """Return steps and residuals of the origin that lies `horizon` and `origin` half horizons before the end."""
    season = panel.season
    least = np.where(panel.lengths > 2 * season + 1, 2 * season + 1, 1) if season > 1 else 1
    least = np.maximum(least, MIN_TREND_LENGTH)
    wanted = horizon + origin * max(1, horizon // 2)
    back = np.minimum(wanted, panel.lengths - least)
    is_new = back >= max(1, wanted - max(1, horizon // 2) + 1) if origin else back >= 1
    part = panel.take(is_new)
    if not len(part.ids):
        return np.empty(0, dtype=int), np.empty(0)
    back = back[is_new]
    earlier = part.cut(back)
    truth = future(part, earlier.lengths, horizon)
    scale = scales(earlier)
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = (truth - predict(earlier, horizon, method)) / scale[:, None]
    found = np.isfinite(residual)
    return np.broadcast_to(np.arange(horizon), residual.shape)[found], residual[found]


def future(panel: Panel, lengths: np.ndarray, horizon: int) -> np.ndarray:
    """Return the (k, horizon) values that follow the first (k,) `lengths` of each series, NaN beyond its end."""
    place = (panel.indptr[:-1] + lengths)[:, None] + np.arange(horizon)
    is_known = place < panel.indptr[1:, None]
    return np.where(is_known, panel.values[np.where(is_known, place, 0)], np.nan)


def _spread(usable: np.ndarray, count: int) -> np.ndarray:
    """Return a mask of at most `count` of the usable series, evenly spread over their order."""
    places = np.flatnonzero(usable)
    if len(places) > count:
        places = places[np.linspace(0, len(places) - 1, count).round().astype(int)]
    mask = np.zeros(len(usable), dtype=bool)
    mask[places] = True
    return mask


def scales(panel: Panel) -> np.ndarray:
    """Return the (k,) typical changes: the smaller of the mean absolute change over one period and over one season.

    0 for constant series; a share of its value for a series of one, taken from the others where there are any.
    """
    change = _mean_change(panel, 1)
    if panel.season > 1:
        seasonal = _mean_change(panel, panel.season)
        change = np.fmin(change, np.where(seasonal > 0, seasonal, np.nan))
    level = np.bincount(panel.codes, weights=np.abs(panel.values), minlength=len(panel.ids))
    level = level / np.maximum(panel.lengths, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = change / level
    known = relative[np.isfinite(relative) & (relative > 0)]
    typical = float(np.median(known)) if len(known) else config.ASSUMED_RELATIVE_ERROR * MEAN_ABSOLUTE_NORMAL
    return np.where(panel.lengths < 2, typical * level, change)


def mase_scales(panel: Panel) -> np.ndarray:
    """Return the (k,) mean absolute changes over a season (Hyndman and Koehler 2006), over a period where there is no season."""
    change = _mean_change(panel, panel.season)
    return np.where(np.isnan(change), _mean_change(panel, 1), change)


def _mean_change(panel: Panel, lag: int) -> np.ndarray:
    """Return the (k,) means of ``|y(t) - y(t - lag)|``, NaN for series that are too short."""
    position = np.arange(len(panel.values)) - panel.indptr[panel.codes]
    later = np.flatnonzero(position >= lag)
    change = np.abs(panel.values[later] - panel.values[later - lag])
    total = np.bincount(panel.codes[later], weights=change, minlength=len(panel.ids))
    count = np.bincount(panel.codes[later], minlength=len(panel.ids))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def quantiles(
    steps: np.ndarray, residuals: np.ndarray, horizon: int, levels: Sequence[float] = config.LEVELS
) -> Calibration:
    """Return the signed quantiles by step, smoothed over neighbouring steps and mixed with the prior where they are few."""
    counts = np.bincount(steps, minlength=horizon)
    table = pd.DataFrame({"step": steps, "residual": residuals})
    weight = counts / (counts + PRIOR_RESIDUALS)
    weight[counts < MIN_RESIDUALS] = 0
    lower, upper = {}, {}
    for level in levels:
        tail = (100 - level) / 200
        ends = []
        for side, sign in ((tail, -1), (1 - tail, 1)):
            # n + 1 in place of n: the quantile that a new residual of the same kind keeps to (split conformal)
            corrected = np.clip(0.5 + (side - 0.5) * (1 + 1 / np.maximum(counts, 1)), 0, 1)
            seen = _by_step(table, corrected, horizon, counts)
            prior = sign * norm.ppf(1 - tail) / MEAN_ABSOLUTE_NORMAL * np.sqrt(np.arange(1, horizon + 1))
            prior = prior * _prior_width(seen, prior)
            ends.append(np.where(weight > 0, weight * np.nan_to_num(seen) + (1 - weight) * prior, prior))
        lower[level] = np.minimum.accumulate(_smoothed(ends[0]))
        upper[level] = np.maximum.accumulate(_smoothed(ends[1]))
    return Calibration(lower, upper, len(residuals))


def _by_step(table: pd.DataFrame, sides: np.ndarray, horizon: int, counts: np.ndarray) -> np.ndarray:
    """Return the (horizon,) quantiles, NaN for steps with too few residuals."""
    groups = dict(iter(table.groupby("step")["residual"]))
    return np.array(
        [groups[step].quantile(sides[step]) if counts[step] >= MIN_RESIDUALS else np.nan for step in range(horizon)]
    )


def _prior_width(seen: np.ndarray, prior: np.ndarray) -> float:
    """Return by how much the prior has to be scaled to continue what was seen; 1 where nothing was."""
    ratio = seen[np.isfinite(seen)] / prior[np.isfinite(seen)]
    return float(np.clip(np.median(ratio), 0.1, 10)) if len(ratio) else 1.0


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Return the mean of each step and its neighbours."""
    return pd.Series(values).rolling(3, center=True, min_periods=1).mean().to_numpy()
