"""Customers as (frequency, recency, T), checked, with equal ones counted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Recency may pass T by this much of T: dates turned into weeks and back.
TIME_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Triples:
    """Unique (frequency, recency, T) with their weights; all arrays have shape (u,).

    Parameters
    ----------
    frequency : ndarray of float
        Repeat purchases: all but the first.
    recency : ndarray of float
        Time from the first to the last purchase, 0 without a repeat purchase.
    T : ndarray of float
        Time from the first purchase to the end of the observation, in the same unit.
    weight : ndarray of float
        Customers (or weight of customers) that are alike.
    inverse : ndarray of int, shape (n,)
        Place of each customer's triple, so that ``values[inverse]`` has one value a customer.
    """

    frequency: np.ndarray
    recency: np.ndarray
    T: np.ndarray
    weight: np.ndarray
    inverse: np.ndarray


def check(
    frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the three vectors as float arrays of shape (n,).

    Raises
    ------
    ValueError
        When they are empty, of different length, not finite, negative, not whole numbers (frequency), or contradict each other:
        recency beyond T, a repeat purchase without time, time without a repeat purchase.
    """
    x, t_x, age = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (frequency, recency, T))
    if not x.shape == t_x.shape == age.shape or x.ndim != 1:
        raise ValueError(
            f"frequency, recency and T must be vectors of one length, not {x.shape}, {t_x.shape}, {age.shape}"
        )
    if not len(x):
        raise ValueError("there are no customers: frequency, recency and T are empty")
    rules = {
        "frequency, recency and T must be finite numbers": np.isfinite(x) & np.isfinite(t_x) & np.isfinite(age),
        "frequency, recency and T must not be negative": (x >= 0) & (t_x >= 0) & (age >= 0),
        "frequency counts repeat purchases, so it must be a whole number": x == np.floor(x),
        "recency must not lie beyond T": t_x <= age * (1 + TIME_TOLERANCE),
        "a customer with repeat purchases must have a recency above 0 (count one purchase a day or other unit)": (
            x == 0
        )
        | (t_x > 0),
        "a customer without repeat purchases must have recency 0": (x > 0) | (t_x == 0),
    }
    for sentence, holds in rules.items():
        if not holds.all():
            raise ValueError(
                f"{sentence}; {int((~holds).sum())} of {len(x)} customers break this, the first is number "
                f"{int(np.argmin(holds))}"
            )
    return x, np.minimum(t_x, age), age


def aggregate(
    frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> Triples:
    """Return the unique triples of (n,) vectors with the sum of the (n,) weights (1 each if None).

    Raises
    ------
    ValueError
        See `check`; and when a weight is negative, not finite, or all are 0.
    """
    x, t_x, age = check(frequency, recency, T)
    weights = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=np.float64)
    if weights.shape != x.shape or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise ValueError(f"weights must be {len(x)} finite numbers, none negative and not all 0")
    order = np.lexsort((t_x, age, x))
    x, t_x, age = x[order], t_x[order], age[order]
    is_new = np.r_[True, (x[1:] != x[:-1]) | (t_x[1:] != t_x[:-1]) | (age[1:] != age[:-1])]
    place = np.cumsum(is_new) - 1
    inverse = np.empty(len(order), dtype=np.int64)
    inverse[order] = place
    return Triples(x[is_new], t_x[is_new], age[is_new], np.bincount(inverse, weights=weights), inverse)
