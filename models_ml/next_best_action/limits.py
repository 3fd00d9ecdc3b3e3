"""Thompson sampling within limits of shares: an option that would be taken too often is made dearer until it is not.

A price on top of the cost leaves the option to those on whom it has most effect, where thinning out by lot would not. The
probabilities given the prices are exact, and the prices depend on what is known of the entities, never on what was drawn, so
the probabilities are the propensities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.optimize import brentq

from models_ml.next_best_action.choice import COARSE, best_probabilities, with_floor
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.policy import Option

SAMPLE_ROWS = 500  # prices are found on so many rows, evenly over what a contact is expected to bring
SWEEPS = 2  # one limit's price moves the shares of the others, which may then stay a little below their limits
REACH = 9.0  # standard deviations: at a price beyond, nobody is left but by exploration
TOLERANCE = 1e-4  # of a price, relative to the dearest there could be


def thompson(
    mean: np.ndarray,
    spread: np.ndarray,
    allowed: np.ndarray,
    options: Sequence[Option],
    *,
    floor: float,
    max_contact_share: float = 1.0,
) -> np.ndarray:
    """Return the (n, k) probabilities of each option.

    Parameters
    ----------
    mean, spread : ndarray of shape (n, k)
        Posterior of each option's expected reward; the first option is to do nothing.
    allowed : ndarray of bool, shape (n, k)
    options : sequence of k Option
        Their `max_share` holds for the mean probability over the n rows.
    floor : float
        Least probability of an allowed option.
    max_contact_share : float
        Limit of all options but the first together.

    Raises
    ------
    ActionInputError
        When exploration alone goes beyond a limit, or `max_contact_share` is not above 0 and at most 1.
    """
    if not 0 < max_contact_share <= 1:
        raise ActionInputError(f"the limit of contacts is {max_contact_share}; expected more than 0 and at most 1")
    if not len(mean):
        return np.zeros(mean.shape)
    limits = _limits(options, max_contact_share)
    _check(limits, options, allowed, floor)
    prices = _prices(mean, spread, allowed, limits, floor)
    found = with_floor(best_probabilities(mean - prices, spread, allowed), allowed, floor)
    return _thinned(found, allowed, limits, floor)


def _limits(options: Sequence[Option], max_contact_share: float) -> list[tuple[np.ndarray, float]]:
    """Return (options that count, limit of their share) of every limit that binds somebody."""
    own = [(np.arange(len(options)) == place, it.max_share) for place, it in enumerate(options) if it.max_share < 1]
    if max_contact_share < 1:
        own.append((np.arange(len(options)) > 0, max_contact_share))
    return own


def _check(
    limits: list[tuple[np.ndarray, float]], options: Sequence[Option], allowed: np.ndarray, floor: float
) -> None:
    for members, limit in limits:
        explored = floor * allowed[:, members].sum(axis=1).mean()
        if explored >= limit:
            names = ", ".join(it.name for it, is_member in zip(options, members, strict=True) if is_member)
            raise ActionInputError(
                f"exploring takes {explored:.3f} of the entities for {names}, of which the limit is {limit:.3f}; "
                "explore less or raise the limit"
            )


def _prices(
    mean: np.ndarray, spread: np.ndarray, allowed: np.ndarray, limits: list[tuple[np.ndarray, float]], floor: float
) -> np.ndarray:
    """Return the (k,) prices at which every limit holds."""
    own = np.zeros((len(limits), mean.shape[1]))
    if not limits:
        return np.zeros(mean.shape[1])
    rows = _sample(mean, allowed)
    mean, spread, allowed = mean[rows], spread[rows], allowed[rows]
    dearest = float((mean + REACH * spread).max() - (mean - REACH * spread).min()) + TOLERANCE

    def excess(number: int, price: float) -> float:
        members, limit = limits[number]
        prices = own.sum(axis=0) - own[number] + price * members
        taken = with_floor(best_probabilities(mean - prices, spread, allowed, COARSE), allowed, floor)
        return float(taken[:, members].sum(axis=1).mean()) - limit

    for _ in range(SWEEPS if len(limits) > 1 else 1):
        for number, (members, _) in enumerate(limits):
            own[number] = members * _root(partial(excess, number), dearest)
    return own.sum(axis=0)


def _root(excess: Callable[[float], float], dearest: float) -> float:
    """Return the price at which nothing is in excess: none where nothing is, the dearest where exploring alone is."""
    if excess(0.0) <= 0:
        return 0.0
    if excess(dearest) >= 0:
        return dearest
    return float(brentq(excess, 0.0, dearest, xtol=TOLERANCE * dearest))


def _thinned(
    probabilities: np.ndarray, allowed: np.ndarray, limits: list[tuple[np.ndarray, float]], floor: float
) -> np.ndarray:
    """Return the probabilities with what prices from a sample left above a limit taken off by lot."""
    for members, limit in limits:
        explored = floor * allowed[:, members]
        share, least = probabilities[:, members].sum(axis=1).mean(), explored.sum(axis=1).mean()
        if share > limit:
            kept = explored + (probabilities[:, members] - explored) * ((limit - least) / (share - least))
            probabilities[:, 0] += (probabilities[:, members] - kept).sum(axis=1)
            probabilities[:, members] = kept
    return probabilities


def _sample(mean: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return up to `SAMPLE_ROWS` rows, evenly over the largest gain from a contact, whatever the order of the rows."""
    if len(mean) <= SAMPLE_ROWS:
        return np.arange(len(mean))
    gain = np.where(allowed, mean, -np.inf)[:, 1:].max(axis=1, initial=-np.inf) - mean[:, 0]
    places = ((np.arange(SAMPLE_ROWS) + 0.5) * len(mean) / SAMPLE_ROWS).astype(int)
    return np.argsort(gain, kind="stable")[places]
