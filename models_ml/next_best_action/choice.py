"""Exact probabilities of Thompson sampling, and draws from them that come out the same in a repeated run."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr


class Grid(NamedTuple):
    """Where the integrals are evaluated: marks in standard deviations of each option, and points between any two marks."""

    marks: np.ndarray
    points: np.ndarray
    weights: np.ndarray


def _grid(reach: float, marks: int, points: int) -> Grid:
    return Grid(np.linspace(-reach, reach, marks), *np.polynomial.legendre.leggauss(points))


# The sum of the probabilities is off by less than 1e-8 (by rounding, where one posterior is a million times narrower than
# another), which the last step takes away.
FINE = _grid(6.5, 19, 5)
COARSE = _grid(5.0, 11, 3)  # to 1e-4, in a third of the time: to search for prices
DENSITY = 1 / np.sqrt(2 * np.pi)
CHUNK_ROWS = 1_000
# Relative to the largest distance: a posterior without spread is a step, which no quadrature follows.
SMALLEST_SPREAD = 1e-7
UNIFORM_BITS = 53


def best_probabilities(mean: np.ndarray, spread: np.ndarray, allowed: np.ndarray, grid: Grid = FINE) -> np.ndarray:
    """Return the probability of each option to have the highest value, the values being independent Gaussians.

    P(a is best) is the integral over v of its density times the distribution functions of all the others. It is worked out
    between marks at every option's quantiles, so wide and narrow posteriors side by side are followed alike.

    Parameters
    ----------
    mean, spread : ndarray of shape (n, k)
        Of each option's value; spreads are 0 or more (options of one and the same value without spread share alike).
    allowed : ndarray of bool, shape (n, k)
        At least one option in every row.
    grid : Grid
        How exactly.

    Returns
    -------
    ndarray of shape (n, k)
        Rows sum to 1 within 1e-9; 0 where an option is not allowed.
    """
    if not allowed.any(axis=1).all():
        raise ValueError("a row allows no option")
    result = np.empty(mean.shape)
    for start in range(0, len(mean), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        result[rows] = _best(mean[rows], spread[rows], allowed[rows], grid)
    return result


def _best(mean: np.ndarray, spread: np.ndarray, allowed: np.ndarray, grid: Grid) -> np.ndarray:
    first = np.argmax(allowed, axis=1)[:, None]
    # Who may not take part stands exactly where the first allowed option stands, and so adds no marks of its own.
    mean = np.where(allowed, mean, np.take_along_axis(mean, first, 1))
    spread = np.where(allowed, spread, np.take_along_axis(spread, first, 1))
    mean = mean - mean.max(axis=1, keepdims=True)  # what all have in common would cost digits
    largest = np.maximum(np.abs(mean), spread).max(axis=1, keepdims=True)
    spread = np.maximum(spread, SMALLEST_SPREAD * np.where(largest > 0, largest, 1.0))
    marks = np.sort((mean[:, :, None] + spread[:, :, None] * grid.marks).reshape(len(mean), -1), axis=1)
    half = np.diff(marks, axis=1)[:, :, None] / 2  # (n, cells, 1)
    values = ((marks[:, 1:, None] + marks[:, :-1, None]) / 2 + half * grid.points)[None]  # (1, n, cells, points)
    standard = (values - mean.T[:, :, None, None]) / spread.T[:, :, None, None]  # (k, n, cells, points)
    below = np.where(allowed.T[:, :, None, None], ndtr(standard), 1.0)
    others = _products_of_others(below)
    density = DENSITY * np.exp(-0.5 * standard**2) / spread.T[:, :, None, None]
    found = np.einsum("kncp,ncp->nk", density * others, half * grid.weights) * allowed
    return found / found.sum(axis=1, keepdims=True)


def _products_of_others(factors: np.ndarray) -> np.ndarray:
    """Return for each (k, ...) factor the product of all the others, without dividing."""
    before, after = np.ones_like(factors), np.ones_like(factors)
    np.cumprod(factors[:-1], axis=0, out=before[1:])
    after[:-1] = np.cumprod(factors[:0:-1], axis=0)[::-1]
    return before * after


def with_floor(probabilities: np.ndarray, allowed: np.ndarray, floor: float) -> np.ndarray:
    """Return (n, k) probabilities of at least `floor` for every allowed option; rows still sum to 1.

    Raises
    ------
    ValueError
        When so many options cannot have so much each.
    """
    count = allowed.sum(axis=1, keepdims=True)
    if not 0 <= floor * count.max(initial=0) <= 1:
        raise ValueError(f"{count.max(initial=0)} options cannot have a probability of at least {floor} each")
    alone = count == 1  # nothing to explore: exactly 1, not 1 less a rounding error
    return np.where(alone, allowed, (1 - floor * count) * probabilities + floor * allowed)


def draw(probabilities: np.ndarray, entity_id: pd.Series, as_of: date, seed: int) -> np.ndarray:
    """Return the (n,) number of the option drawn for each entity: the same for the same entity, day and seed.

    Parameters
    ----------
    probabilities : ndarray of shape (n, k)
    entity_id : Series of length n
    as_of : date
        The day of the decision.
    """
    limits = np.cumsum(probabilities, axis=1)
    chance = uniform(entity_id, f"{seed}|{as_of.isoformat()}") * limits[:, -1]
    drawn = (chance[:, None] >= limits).sum(axis=1)
    last = probabilities.shape[1] - 1 - np.argmax(probabilities[:, ::-1] > 0, axis=1)
    return np.minimum(drawn, last)


def uniform(entity_id: pd.Series, salt: str) -> np.ndarray:
    """Return a number from 0 to below 1 for each entity, by a hash of `salt` and id: the same on every machine."""
    keys = (salt + "|" + entity_id.astype(str)).to_numpy(dtype=object)
    return (pd.util.hash_array(keys) >> np.uint64(64 - UNIFORM_BITS)) / 2.0**UNIFORM_BITS
