"""How demand moves: by weekday, by season of the year (each segment its own), and upward over the years."""

from __future__ import annotations

from datetime import date

import numpy as np

from crm_agents.simulator.catalogue import SEGMENTS
from crm_agents.simulator.columns import epoch_day
from crm_agents.simulator.parameters import Parameters

# Monday first. Consumers order most at the weekend, firms hardly then.
WEEKDAY_PERSONS = np.array([0.7, 0.55, 0.55, 0.65, 0.8, 1.1, 1.2]) / 1.2
WEEKDAY_ORGANISATIONS = np.array([1.2, 1.25, 1.25, 1.2, 1.0, 0.15, 0.1]) / 1.25
THURSDAY = 3  # 1970-01-01
PEAK_LEAD_DAYS = 7  # interest comes about a week before the order


def weekday_acceptance(parameters: Parameters, days: int | None = None) -> np.ndarray:
    """Return the share of planned orders that are placed on the day rather than put off (days x 2: person, firm)."""
    weekday = (np.arange(days or parameters.days) + epoch_day(parameters.first_on) + THURSDAY) % 7
    return np.stack([WEEKDAY_PERSONS[weekday], WEEKDAY_ORGANISATIONS[weekday]], axis=1)


def demand(parameters: Parameters, days: int | None = None) -> np.ndarray:
    """Return the factor on every customer's appetite, mean about 1 (float32, days x segments).

    Parameters
    ----------
    days : int, optional
        Length, by default that of the history; the functions below take it too.
    """
    day = np.arange(days or parameters.days)
    year_day = day_of_year(parameters, days)
    trend = np.exp(np.log1p(parameters.demand_growth_a_year) * (day - parameters.days / 2) / 365.25)
    columns = []
    for segment in SEGMENTS:
        wave = 1 + segment.season_size * np.cos(2 * np.pi * (year_day - segment.season_peak + PEAK_LEAD_DAYS) / 365.25)
        columns.append(trend * wave * (_lull(year_day) if segment.is_organisation else _gift_season(year_day)))
    factor = np.stack(columns, axis=1)
    if parameters.drift:
        factor[drift_day(parameters) :] *= parameters.drift.purchase_rate_factor
    return factor.astype(np.float32)


def day_of_year(parameters: Parameters, days: int | None = None) -> np.ndarray:
    """Return the day of the year (0 on 1 January) of each day."""
    dates = np.arange(days or parameters.days) + np.datetime64(parameters.first_on)
    return (dates - dates.astype("datetime64[Y]")).astype(np.int64)


def is_high_season(parameters: Parameters, days: int | None = None) -> np.ndarray:
    """Return whether carriers are overloaded (mid November to Christmas), per day."""
    year_day = day_of_year(parameters, days)
    return (year_day >= 318) & (year_day <= 357)


def drift_day(parameters: Parameters) -> int:
    """Return the day number from which the drift holds (the number of days when there is none)."""
    if parameters.drift is None:
        return parameters.days
    return max(0, min(parameters.days, (parameters.drift.starts_on - parameters.first_on).days))


def year_of_day(parameters: Parameters, days: int | None = None) -> np.ndarray:
    """Return the calendar year of each day."""
    dates = np.arange(days or parameters.days) + np.datetime64(parameters.first_on)
    return dates.astype("datetime64[Y]").astype(np.int64) + 1970


def _gift_season(year_day: np.ndarray) -> np.ndarray:
    black_week = 0.9 * ((year_day >= 322) & (year_day <= 334))
    advent = 0.6 * ((year_day >= 335) & (year_day <= 352))
    january = -0.35 * (year_day <= 24)
    return 1 + black_week + advent + january


def _lull(year_day: np.ndarray) -> np.ndarray:
    summer = -0.25 * ((year_day >= 203) & (year_day <= 236))
    christmas = -0.5 * (year_day >= 350)
    return 1 + summer + christmas


def date_of(parameters: Parameters, day: int) -> date:
    """Return the calendar date of day number `day`."""
    return date.fromordinal(parameters.first_on.toordinal() + day)
