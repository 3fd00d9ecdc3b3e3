"""Settings of the forecast, and why these: one setting for all data, chosen by rolling origin inside training parts."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = (80, 95)
SEED = 20_260_101


@dataclass(frozen=True)
class Ensemble:
    """Members (names of `engine.MEMBERS`) and how they are combined, series by series and step by step."""

    members: tuple[str, ...]
    combine: str


# Without a season: all four follow a trend, each with its own caution, and the median keeps one bold member from winning alone.
ENSEMBLE_WITHOUT_SEASON = Ensemble(("drift", "theta_optimised", "ces", "arima_trend"), "median")
# With a season: without ETS, which took four fifths of the time and would gain 0.7 % (docs/models.md has the figures).
ENSEMBLE_WITH_SEASON = Ensemble(("seasonal_naive", "ces_partial", "theta", "ces_log"), "median")
# Multiplicative seasons and logarithms mean nothing below 0.
ENSEMBLE_ADDITIVE = Ensemble(("seasonal_naive", "ces_partial", "theta_additive", "ces"), "median")
# CES cannot afford a season of more periods than this (a year of weeks).
LONG_SEASON = 24
ENSEMBLE_LONG_SEASON = Ensemble(("seasonal_naive", "theta", "theta_additive"), "mean")

# Intervals: this many forecasts from earlier origins are enough for their quantiles, whatever the number of series; one
# more forecast in ten for a thousand series.
CALIBRATION_FORECASTS = 100
MAX_ORIGINS = 6
# A series of one value beside no other: nothing is known of its error, and a standard error of a quarter is assumed.
ASSUMED_RELATIVE_ERROR = 0.25
