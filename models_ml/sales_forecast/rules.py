"""Which rule each series falls under, and the sentence that says why."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.sales_forecast.config import LONG_SEASON
from models_ml.sales_forecast.intake import Panel

# Syntetos, Boylan, Croston (2005), "On the categorization of demand patterns", J. Oper. Res. Soc. 56: more than 1.32 periods
# between two sales on average make a series intermittent.
INTERMITTENT_GAP = 1.32
# From this share of zeros that fall into the same place of the season, they are the season (closed in winter), not chance.
SEASONAL_ZEROS = 0.8
MIN_TREND_LENGTH = 5
MIN_CONSTANT_LENGTH = 3

REASONS = {
    "no_value": "it has no value that can be used, so there is no forecast",
    "zeros": "all of its {n} values are 0",
    "one_value": "it has one value only, which is repeated",
    "constant": "all of its {n} values are the same",
    "very_short": "{n} values show no trend: their level is carried on",
    "one_season": "{n} values show one season of {m} only, which is repeated",
    "short": "{n} values are fewer than two seasons of {m}, so no season is fitted",
    "intermittent": "{zero_share:.0%} of its {n} values are 0 at no fixed place in the season: the rate of sales is forecast",
    "negative": "{negative_share:.0%} of its {n} values are below 0: additive methods only, and no floor at 0",
    "regular": "{n} values, {seasons}",
}
# The method that each rule leads to. "ensemble" is the registry's default.
METHODS = {
    "no_value": "none",
    "zeros": "zero",
    "one_value": "last_value",
    "constant": "last_value",
    "very_short": "smoothed_level",
    "one_season": "seasonal_naive",
    "short": "ensemble_without_season",
    "intermittent": "teunter_syntetos_babai",
    "negative": "ensemble_additive",
    "regular": "ensemble",
}


def classify(panel: Panel) -> np.ndarray:
    """Return the (k,) names of the rules (keys of `REASONS`) that the series fall under; the first that holds wins."""
    n, m = panel.lengths, panel.season
    lowest, highest = _extremes(panel)
    zero_share, negative_share = _share(panel, panel.values == 0), _share(panel, panel.values < 0)
    is_same = (n >= MIN_CONSTANT_LENGTH) & (lowest == highest)
    gap = 1 / np.maximum(1 - zero_share, 1e-12)
    conditions = {
        "no_value": n == 0,
        "zeros": (lowest == 0) & (highest == 0),
        "one_value": n == 1,
        "constant": is_same,
        "very_short": n < MIN_TREND_LENGTH,
        "intermittent": (gap > INTERMITTENT_GAP) & (negative_share == 0) & ~_zeros_are_seasonal(panel),
        "one_season": (n > m) & (n < 2 * m + 1) & (m > LONG_SEASON),
        "short": (n < 2 * m + 1) & (m > 1),
        "negative": negative_share > 0,
    }
    return np.select(list(conditions.values()), list(conditions), default="regular")


def explain_panel(panel: Panel) -> pd.DataFrame:
    """Return one row a series: unique_id, observations, rule, method, reason, and what was filled or left out."""
    rule = classify(panel)
    n, m = panel.lengths, panel.season
    zero_share, negative_share = _share(panel, panel.values == 0), _share(panel, panel.values < 0)
    reasons = [
        REASONS[name].format(n=int(count), m=m, zero_share=zeros, negative_share=negative, seasons=_seasons(count, m))
        + filled
        for name, count, zeros, negative, filled in zip(
            rule, n, zero_share, negative_share, _filled(panel), strict=True
        )
    ]
    return pd.DataFrame(
        {
            "unique_id": panel.ids,
            "observations": n,
            "rule": rule,
            "method": [METHODS[name] for name in rule],
            "reason": reasons,
            "interpolated": panel.interpolated,
            "set_to_zero": panel.zeros,
            "copies_left_out": panel.copies,
            "infinite_values": panel.infinite,
        }
    )


def _seasons(n: int, m: int) -> str:
    return f"{n / m:.1f} seasons of {m}" if m > 1 else "without a season"


def _filled(panel: Panel) -> list[str]:
    """Return what was done to each series, as the end of a sentence."""
    parts = (
        (panel.interpolated, "{} interpolated"),
        (panel.zeros, "{} without a row set to 0"),
        (panel.copies, "{} copied rows left out"),
        (panel.infinite, "{} infinite taken as missing"),
    )
    texts = np.full(len(panel.ids), "", dtype=object)
    for counts, text in parts:
        texts = texts + np.where(counts > 0, ["; " + text.format(count) for count in counts], "")
    return list(texts)


def _share(panel: Panel, holds: np.ndarray) -> np.ndarray:
    return np.bincount(panel.codes, weights=holds, minlength=len(panel.ids)) / np.maximum(panel.lengths, 1)


def _extremes(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Return the (k,) lowest and highest values, NaN for an empty series."""
    lowest, highest = (np.full(len(panel.ids), np.nan) for _ in range(2))
    filled = panel.lengths > 0
    starts = panel.indptr[:-1][filled]
    if len(starts):
        lowest[filled] = np.minimum.reduceat(panel.values, starts)
        highest[filled] = np.maximum.reduceat(panel.values, starts)
    return lowest, highest


def _zeros_are_seasonal(panel: Panel) -> np.ndarray:
    """Return for which series zeros (and sales) keep to their place in the season, seen over two seasons at least."""
    m = panel.season
    if m == 1:
        return np.zeros(len(panel.ids), dtype=bool)
    position = np.arange(len(panel.values)) - panel.indptr[panel.codes]
    later = np.flatnonzero(position >= m)
    same = (panel.values[later] == 0) & (panel.values[later - m] == 0)
    zeros = np.bincount(panel.codes[later], weights=panel.values[later] == 0, minlength=len(panel.ids))
    again = np.bincount(panel.codes[later], weights=same, minlength=len(panel.ids))
    return (panel.lengths >= 2 * m) & (zeros > 0) & (again >= SEASONAL_ZEROS * zeros)
