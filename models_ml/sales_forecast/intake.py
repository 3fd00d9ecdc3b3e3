"""From a frame of rows to a panel without gaps; what cannot be read is said, what is filled is counted.

Rules
-----
* Exact copies of a row count once. Two values for one period are an error: only the caller knows whether to add or replace.
* Infinite values are taken as missing. Missing values at the start of a series are left out; elsewhere they are interpolated
  linearly between their neighbours, and at the end repeat the last known value.
* A period without a row is a period without sales (0) where the series has zeros of its own or lacks at least a tenth of its
  periods; otherwise the row was lost and is interpolated as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.sales_forecast.errors import ForecastInputError
from models_ml.sales_forecast.frequency import Calendar, Frequency

COLUMNS = ("unique_id", "ds", "y")
SHARE_OF_GAPS_THAT_ARE_ZEROS = 0.1
# A wrong year in one date must not fill the memory with periods that never were.
MAX_PERIODS_PER_ROW = 50
MAX_PERIODS_FREE = 100_000


@dataclass(frozen=True)
class Panel:
    """k series without gaps, one after the other.

    Parameters
    ----------
    ids : ndarray of shape (k,)
        Sorted.
    indptr : int64 ndarray of shape (k + 1,)
        Series i is ``values[indptr[i]:indptr[i + 1]]``; it is empty where no value could be used.
    values : float64 ndarray of shape (n,)
    last : int64 ndarray of shape (k,)
        Number of each series' last period.
    calendar : Calendar
    interpolated, zeros, copies, infinite : int64 ndarrays of shape (k,)
        How many periods were interpolated, how many set to 0, how many copied rows and infinite values left out.
    """

    ids: np.ndarray
    indptr: np.ndarray
    values: np.ndarray
    last: np.ndarray
    calendar: Calendar
    interpolated: np.ndarray
    zeros: np.ndarray
    copies: np.ndarray
    infinite: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Return the (k,) numbers of periods."""
        return np.diff(self.indptr)

    @property
    def codes(self) -> np.ndarray:
        """Return the (n,) number of the series that each value belongs to."""
        return np.repeat(np.arange(len(self.ids)), self.lengths)

    @property
    def season(self) -> int:
        """Number of periods in a season."""
        return self.calendar.frequency.season

    def cut(self, back: np.ndarray | int) -> Panel:
        """Return the panel as it was `back` periods (one number, or (k,)) before the end of each series."""
        back = np.minimum(np.broadcast_to(back, len(self.ids)), self.lengths)
        lengths = self.lengths - back
        keep = np.arange(len(self.values)) - self.indptr[self.codes] < lengths[self.codes]
        return self._replaced(self.ids, lengths, self.values[keep], self.last - back, slice(None))

    def take(self, chosen: np.ndarray) -> Panel:
        """Return the series of the (k,) mask `chosen`."""
        return self._replaced(
            self.ids[chosen], self.lengths[chosen], self.values[chosen[self.codes]], self.last[chosen], chosen
        )

    def _replaced(
        self, ids: np.ndarray, lengths: np.ndarray, values: np.ndarray, last: np.ndarray, chosen: np.ndarray | slice
    ) -> Panel:
        notes = (self.interpolated[chosen], self.zeros[chosen], self.copies[chosen], self.infinite[chosen])
        return Panel(ids, _pointers(lengths), values, last, self.calendar, *notes)


def read_panel(frame: pd.DataFrame, frequency: str) -> Panel:
    """Check the rows, put them in order and fill the gaps.

    Parameters
    ----------
    frame : DataFrame
        unique_id, ds (dates or integers), y; any order of rows.
    frequency : str
        Alias of pandas.

    Raises
    ------
    ForecastInputError
        For what no rule can settle; see the head of this module.
    """
    kind = Frequency.parse(frequency)
    rows = _typed(frame)
    calendar = Calendar.of(rows["ds"], kind)
    rows["period"] = calendar.ordinals(rows["ds"])
    rows["is_infinite"] = np.isinf(rows["y"])
    rows.loc[rows["is_infinite"], "y"] = np.nan
    rows["code"], ids = pd.factorize(rows["unique_id"], sort=True)
    rows = rows.sort_values(["code", "period"], kind="stable")
    rows, copies = _without_copies(rows, calendar, len(ids))
    step = rows["period"].diff()[rows["code"].diff() == 0]
    calendar.check_steps(step.to_numpy(dtype=np.int64))
    infinite = np.bincount(rows["code"], weights=rows["is_infinite"], minlength=len(ids)).astype(np.int64)
    last = rows.groupby("code")["period"].max().to_numpy()
    values, lengths, interpolated, zeros = _without_gaps(rows, last)
    return Panel(np.asarray(ids), _pointers(lengths), values, last, calendar, interpolated, zeros, copies, infinite)


def _pointers(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the three columns with their types, or say which cannot be read."""
    missing = [name for name in COLUMNS if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in COLUMNS]
    if missing:
        raise ForecastInputError(f"the frame lacks column {', '.join(missing)}; it needs {', '.join(COLUMNS)}.")
    if unknown:
        raise ForecastInputError(
            f"the frame has unknown columns: {', '.join(unknown)}. A forecast reads {', '.join(COLUMNS)} only; "
            "what is known of the future (prices, promotions) goes to forecast_with_covariates."
        )
    if frame.empty:
        raise ForecastInputError("the frame has no rows, so there is nothing to forecast.")
    if frame["unique_id"].isna().any():
        raise ForecastInputError(f"{int(frame['unique_id'].isna().sum())} rows have no unique_id.")
    return pd.DataFrame(
        {"unique_id": frame["unique_id"].to_numpy(), "ds": _dates(frame["ds"]).to_numpy(), "y": _numbers(frame["y"])}
    )


def _dates(ds: pd.Series) -> pd.Series:
    """Return integers, or days without a time zone."""
    if ds.isna().any():
        raise ForecastInputError(f"{int(ds.isna().sum())} rows have no ds.")
    if pd.api.types.is_integer_dtype(ds):
        return ds.astype(np.int64)
    if pd.api.types.is_bool_dtype(ds) or pd.api.types.is_float_dtype(ds):
        raise ForecastInputError("ds holds neither dates nor integers; number the periods 1, 2, 3 or give their dates.")
    try:
        days = pd.to_datetime(ds)
        if isinstance(days.dtype, pd.DatetimeTZDtype):
            days = days.dt.tz_localize(None)
        return days.dt.normalize()
    except (ValueError, TypeError, AttributeError) as error:
        raise ForecastInputError(f"ds holds values that are no dates: {error}.") from error


def _numbers(y: pd.Series) -> np.ndarray:
    try:
        return pd.to_numeric(y).to_numpy(dtype=np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ForecastInputError(f"y holds values that are no numbers: {error}.") from error


def _without_copies(rows: pd.DataFrame, calendar: Calendar, series: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return rows of which each is its period's only one, and how many copies each series had."""
    is_copy = rows.duplicated(["code", "ds", "y"])
    copies = np.bincount(rows.loc[is_copy, "code"], minlength=series)
    rows = rows[~is_copy]
    again = rows.duplicated(["code", "period"], keep=False)
    if again.any():
        pair = rows[again].iloc[:2]
        name, first, second = pair["unique_id"].iloc[0], *pair["ds"]
        if first == second:
            raise ForecastInputError(
                f"series {name!r} has {int(again.sum())} rows that share a ds with another, of different y (first: {first}). "
                "Add them up, or keep the right ones."
            )
        raise ForecastInputError(
            f"frequency {calendar.frequency.alias!r} does not fit the dates: series {name!r} has {first} and {second} in one "
            "period. Aggregate the rows, or name the frequency that they have."
        )
    return rows, copies


def _without_gaps(rows: pd.DataFrame, last: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return values, lengths, and how many periods of each series were interpolated and set to zero."""
    known = rows[rows["y"].notna()]
    start = known.groupby("code")["period"].min().reindex(range(len(last))).to_numpy(dtype=np.float64)
    lengths = np.where(np.isnan(start), 0, last - np.nan_to_num(start) + 1).astype(np.int64)
    if lengths.sum() > MAX_PERIODS_FREE + MAX_PERIODS_PER_ROW * len(rows):
        raise ForecastInputError(
            f"{len(rows)} rows span {lengths.sum()} periods: a date far from the others is probably wrong, or the "
            "frequency is too fine."
        )
    indptr = _pointers(lengths)
    rows = rows[rows["period"].to_numpy() >= np.nan_to_num(start, nan=np.inf)[rows["code"]]]
    code = rows["code"].to_numpy()
    place = indptr[code] + (rows["period"].to_numpy() - start[code]).astype(np.int64)
    values = np.full(indptr[-1], np.nan)
    values[place] = rows["y"]
    is_absent = np.ones(len(values), dtype=bool)
    is_absent[place] = False
    codes = np.repeat(np.arange(len(last)), lengths)
    absent = np.bincount(codes, weights=is_absent, minlength=len(last))
    has_zeros = np.bincount(codes, weights=values == 0, minlength=len(last)) > 0
    zeros_fit = has_zeros | (absent >= SHARE_OF_GAPS_THAT_ARE_ZEROS * np.maximum(lengths, 1))
    values[is_absent & zeros_fit[codes]] = 0.0
    interpolated = np.bincount(codes, weights=np.isnan(values), minlength=len(last)).astype(np.int64)
    return _interpolated(values, codes), lengths, interpolated, np.where(zeros_fit, absent, 0).astype(np.int64)


def _interpolated(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return `values` with no missing one; each series begins with a known value."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    series = pd.Series(values).groupby(codes)
    filled = values.copy()
    places = np.arange(len(values))
    filled[missing] = np.interp(places[missing], places[~missing], values[~missing])
    at_end = missing & series.bfill().isna().to_numpy()
    filled[at_end] = series.ffill().to_numpy()[at_end]
    return filled
