"""Arrow columns from numpy arrays: ids, words by code, times, money as text. No Python loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAY = 86_400
NEVER = np.int32(2**30)  # a day that does not come


def ids(prefix: str, numbers: np.ndarray, width: int = 7) -> pa.Array:
    """Return texts like ``C0000042``."""
    digits = pc.cast(pa.array(np.asarray(numbers, dtype=np.int64)), pa.string())
    padded = pc.utf8_lpad(digits, width=width, padding="0")
    return pc.binary_join_element_wise(prefix, padded, "")


def pick(words: Sequence[str] | pa.Array, codes: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return ``words[code]`` for each code; NULL where `missing`, or where the code is negative."""
    codes = np.asarray(codes)
    absent = codes < 0 if missing is None else missing | (codes < 0)
    indices = pa.array(np.where(absent, 0, codes).astype(np.int32), mask=absent if absent.any() else None)
    table = words if isinstance(words, pa.Array) else pa.array(list(words), pa.string())
    return table.take(indices)


def some_ids(prefix: str, numbers: np.ndarray, width: int, present: np.ndarray) -> pa.Array:
    """Return ids where `present`, and NULL elsewhere."""
    return pc.if_else(pa.array(present), ids(prefix, np.where(present, numbers, 0), width), None)


def join(*parts: pa.Array | str) -> pa.Array:
    """Return the texts put together; NULL where any part is NULL."""
    return pc.binary_join_element_wise(*parts, "")


def numbers(values: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return a column of numbers; NULL where `missing`."""
    return pa.array(values, mask=missing)


def times(seconds: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return UTC timestamps from seconds since 1970; NULL where `missing`."""
    return pa.array(np.asarray(seconds, dtype=np.int64).astype("datetime64[s]"), mask=missing)


def days(numbers_since_1970: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return dates from days since 1970; NULL where `missing`."""
    return pa.array(np.asarray(numbers_since_1970, dtype=np.int64).astype("datetime64[D]"), mask=missing)


def text_times(seconds: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Return timestamps as the text that an export file holds: ``2026-06-30 14:05:00``."""
    return pc.cast(times(seconds, missing), pa.string())


def money_text(cents: np.ndarray) -> pa.Array:
    """Return amounts as text with a point and two places: -1250 becomes ``-12.50``."""
    distinct, place = np.unique(cents, return_inverse=True)  # few prices, many lines: format each price once
    size = np.abs(distinct)
    sign = pc.if_else(pa.array(distinct < 0), "-", "")
    euros = pc.cast(pa.array(size // 100), pa.string())
    rest = pc.utf8_lpad(pc.cast(pa.array(size % 100), pa.string()), width=2, padding="0")
    return join(sign, euros, ".", rest).take(pa.array(place))


def money(cents: np.ndarray) -> pa.Array:
    """Return amounts as numbers with two places."""
    return pa.array(cents / 100.0)


def epoch_day(day: date) -> int:
    """Return the number of days from 1970-01-01 to `day`."""
    return (day - date(1970, 1, 1)).days


def run_position(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return 0, 1, 2 ... within each run, for runs that begin at `starts` and have `counts` elements."""
    return np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(starts, counts)


def spread(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each element of all runs of the given lengths, the run's number and the place within the run."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, run_position(np.cumsum(counts) - counts, counts)


def draw_by_shares(
    u: np.ndarray, shares: Sequence[float], other_shares: Sequence[float], other: np.ndarray
) -> np.ndarray:
    """Return a choice for each random number `u`, by `shares`, or by `other_shares` where `other`."""
    edges = np.where(other[:, None], np.cumsum(other_shares), np.cumsum(shares))
    return (u[:, None] >= edges).sum(axis=1).clip(0, len(shares) - 1)


def distinct(keys: np.ndarray) -> np.ndarray:
    """Return the different keys, sorted (faster than numpy's hashing for keys that are nearly in order)."""
    ordered = np.sort(keys, kind="stable")
    return ordered[np.diff(ordered, prepend=-1) != 0]


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Return probabilities from log-odds."""
    return 1.0 / (1.0 + np.exp(-log_odds))


def first(numbers: np.ndarray) -> int:
    """Return the first number, 0 when there is none."""
    return int(numbers[0]) if len(numbers) else 0
