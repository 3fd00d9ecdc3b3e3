"""Frequencies: their season, the period each date falls into, and the dates of the periods to come."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.sales_forecast.errors import ForecastInputError

SEASONS = {"Y": 1, "Q": 4, "M": 12, "W": 52, "D": 7}
# The first alias of pandas that means each of them; starts of periods (MS, QS, YS) and anchors (W-FRI, YE-JUN) are known too.
ALIASES = {"Y": "YE", "Q": "QE", "M": "ME", "W": "W", "D": "D"}
_LETTERS = {
    alias: letter
    for letter, aliases in {
        "Y": ("YE", "YS", "Y", "A", "AS"),
        "Q": ("QE", "QS", "Q"),
        "M": ("ME", "MS", "M"),
        "W": ("W",),
        "D": ("D",),
    }.items()
    for alias in aliases
}
_DAYS_BETWEEN = (("YE", 360), ("QE", 85), ("ME", 28), ("W", 7), ("D", 1))
_PERIOD_DAYS = {"Y": 365, "Q": 91, "M": 30, "W": 7, "D": 1}
# With fewer steps than this, dates far apart may just as well be gaps.
_MIN_STEPS_TO_JUDGE = 4


@dataclass(frozen=True)
class Frequency:
    """One length of period.

    Parameters
    ----------
    letter : str
        Y, Q, M, W or D.
    anchor : str, optional
        What the alias said behind its dash (FRI, JUN). Without one the dates decide.
    """

    letter: str
    anchor: str | None = None

    @property
    def season(self) -> int:
        """Number of periods in a season."""
        return SEASONS[self.letter]

    @property
    def alias(self) -> str:
        """What pandas calls it."""
        return ALIASES[self.letter] + (f"-{self.anchor}" if self.anchor else "")

    @classmethod
    def parse(cls, alias: str) -> Frequency:
        """Return the frequency of a pandas alias.

        Raises
        ------
        ForecastInputError
            When it is none of the five, or a multiple.
        """
        name, _, anchor = str(alias).partition("-")
        letter = _LETTERS.get(name.upper())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                known = letter is not None and pd.tseries.frequencies.to_offset(alias) is not None
        except ValueError:
            known = False
        if letter is None or not known:
            raise ForecastInputError(
                f"frequency {alias!r} is not one of YE, QE, ME, W, D (or their starts and anchors, such as MS or W-FRI)."
            )
        return cls(letter, _end_anchor(name.upper(), anchor.upper()) or None)


@dataclass(frozen=True)
class Calendar:
    """Numbers periods, and dates them in the way the caller's rows are dated.

    Parameters
    ----------
    frequency : Frequency
    is_integer : bool
        `ds` are numbers of periods, not dates.
    period : str
        pandas' name of the period; empty with integers.
    from_start : int or None
        Days from a period's first day to its label; None: its last day.
    """

    frequency: Frequency
    is_integer: bool
    period: str = ""
    from_start: int | None = None

    @classmethod
    def of(cls, ds: pd.Series, frequency: Frequency) -> Calendar:
        """Return the calendar that dates `ds` (integers or naive timestamps) are labels of."""
        if pd.api.types.is_integer_dtype(ds):
            return cls(frequency, is_integer=True)
        days = pd.DatetimeIndex(ds.unique())
        period = _period_name(days, frequency)
        periods = days.to_period(period)
        since_start = (days - periods.start_time.normalize()).days
        at_end = (days == periods.end_time.normalize()).all()
        same = not at_end and len(days) > 0 and (since_start == since_start[0]).all()
        return cls(frequency, False, period, int(since_start[0]) if same else None)

    def ordinals(self, ds: pd.Series) -> np.ndarray:
        """Return the (n,) int64 numbers of the periods of `ds`."""
        if self.is_integer:
            return ds.to_numpy(dtype=np.int64)
        return pd.DatetimeIndex(ds).to_period(self.period).asi8

    def labels(self, ordinals: np.ndarray) -> np.ndarray:
        """Return the `ds` of periods by their (n,) numbers."""
        if self.is_integer:
            return ordinals
        periods = pd.PeriodIndex(pd.arrays.PeriodArray(ordinals, dtype=pd.PeriodDtype(self.period)))
        if self.from_start is None:
            return periods.end_time.normalize().to_numpy()
        return (periods.start_time.normalize() + pd.Timedelta(days=self.from_start)).to_numpy()

    def check_steps(self, steps: np.ndarray) -> None:
        """Hold the numbers of periods between the dates of each series (all series together) against the frequency.

        Raises
        ------
        ForecastInputError
            When no two dates of any series lie in neighbouring periods: then the periods are longer than `frequency` says.
        """
        if len(steps) < _MIN_STEPS_TO_JUDGE or steps.min() < 2:
            return
        way_out = "Number the periods 1, 2, 3"
        if not self.is_integer:
            days = steps.min() * _PERIOD_DAYS[self.frequency.letter]
            way_out = f"{next(alias for alias, least in _DAYS_BETWEEN if days >= least)!r} may be meant"
        raise ForecastInputError(
            f"frequency {self.frequency.alias!r} does not fit the dates: they are never less than {steps.min()} "
            f"periods apart. {way_out}."
        )


def _end_anchor(name: str, anchor: str) -> str:
    """Return where periods end: anchors of starts (QS-JAN) name the month after it."""
    if anchor and name in ("QS", "YS", "AS"):
        return _MONTHS[_MONTHS.index(anchor) - 1]
    return anchor


def _period_name(days: pd.DatetimeIndex, frequency: Frequency) -> str:
    """Return the period whose anchor is the alias's, or else the one that the dates have in common."""
    letter, anchor = frequency.letter, frequency.anchor
    if letter in "MD":
        return letter
    if anchor is None and letter == "W":
        common = days.dayofweek.unique()
        anchor = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"][(common[0] + 1) % 7] if len(common) == 1 else "SUN"
    elif anchor is None:
        width = 12 if letter == "Y" else 3
        phase = (days.month % width).unique()
        anchor = "DEC"
        if len(phase) == 1 and days.is_month_end.all():  # fiscal years and quarters end where the dates lie
            anchor = _MONTHS[phase[0] - 1]
        elif len(phase) == 1 and (days.day == 1).all():
            anchor = _MONTHS[(phase[0] - 2) % 12]
    return f"{letter}-{anchor}"


_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
