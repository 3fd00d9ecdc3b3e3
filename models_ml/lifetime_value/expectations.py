"""What a fitted purchase model expects of a customer: P(alive), purchases to come, their distribution and their errors.

Given that the customer is still there j Erlang steps after the last purchase, the m-th purchase from now falls into the next t
with probability I_z(mk - j, r + kx + j), z = t / (alpha + T + t) (a negative binomial tail), and all chances to be lost before
it are survived with probability (b + x')_(m-1) / (a + b + x')_(m-1). So P(at least m purchases) is a sum of positive
terms without cancellation, and the expectation is its sum over m. For k = 1 that sum is the hypergeometric function of Fader,
Hardie and Lee (2005, equation 10), here after Euler's transformation, which leaves no large number in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, expit, gammaln, hyp2f1, logit, ndtri

from models_ml.lifetime_value.likelihood import Likelihood
from models_ml.lifetime_value.purchases import PurchaseModel
from models_ml.lifetime_value.triples import Triples, aggregate

NEGLIGIBLE = 1e-10  # P(at least m purchases) below this ends the sum over m
# The first terms are added one by one. From there on m runs in blocks, each twice as long as the one before: the terms are so
# smooth by then that six nodes of Gauss and Legendre stand for a block.
SINGLE_TERMS = 32
BLOCKS = 40
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(6)
# Closer to a = 1 the closed form divides a difference by next to nothing; it is taken from both sides instead.
NEAR_ONE = 1e-4
# Beyond, all customers are lost alike (a and b at their limits) and the hypergeometric function is not a number.
LARGE = 100.0
STEP = 1e-4  # of the central differences of the delta method, in log parameters


@dataclass(frozen=True)
class Interval:
    """A value with its standard error and the interval of the delta method; arrays of one shape."""

    value: np.ndarray
    standard_error: np.ndarray
    low: np.ndarray
    high: np.ndarray


def probability_alive(
    model: PurchaseModel, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike
) -> np.ndarray:
    """Return the (n,) probabilities that a customer has not been lost by T."""
    triples = aggregate(frequency, recency, T)
    return _state(model, triples)[0][triples.inverse]


def expected_purchases(model: PurchaseModel, t: npt.ArrayLike) -> np.ndarray:
    """Return the (n,) expected repeat purchases of a new customer in (0, t], t the time since the first purchase."""
    times = np.atleast_1d(np.asarray(t, dtype=np.float64))
    zero = np.zeros(len(times))
    return _per_triple(model, Triples(zero, zero, zero, zero, np.arange(len(times))), times)


def conditional_expected_purchases(
    model: PurchaseModel,
    t: float,
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
) -> np.ndarray:
    """Return the (n,) expected purchases in (T, T + t] of customers with this history.

    Parameters
    ----------
    t : float
        Length of the time to come, in the unit of the data; any length.
    """
    triples = aggregate(frequency, recency, T)
    return _per_triple(model, triples, np.full(len(triples.T), float(t)))[triples.inverse]


class Outlook:
    """The distribution of the purchases of each triple in the next `t`.

    Parameters
    ----------
    model : PurchaseModel
    triples : Triples
    t : float or array of shape (u,)
        Length of the time to come, for each triple if need be.
    """

    def __init__(self, model: PurchaseModel, triples: Triples, t: npt.ArrayLike) -> None:
        self.model = model
        self.alive, self.share_of_step = _state(model, triples)  # (u,), (k, u)
        length = np.broadcast_to(np.asarray(t, dtype=np.float64), self.alive.shape)
        self.z = length / (model.alpha + triples.T + length)
        self.shape = model.r + model.family.k * triples.frequency
        self.kept = model.b + triples.frequency + model.family.lost_at_once

    def at_least(self, m: npt.ArrayLike, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return P(at least m purchases), m >= 1 one number or one for each of the `rows`."""
        number = np.asarray(m, dtype=np.float64)
        k, kept = self.model.family.k, self.kept[rows]
        log_kept = gammaln(kept + number - 1) - gammaln(kept)
        log_all = gammaln(kept + self.model.a + number - 1) - gammaln(kept + self.model.a)
        passed = self.alive[rows] * np.exp(log_kept - log_all)
        within = np.zeros(len(kept))
        for step in range(k):  # Erlang steps, not customers
            within += self.share_of_step[step, rows] * betainc(number * k - step, self.shape[rows] + step, self.z[rows])
        return passed * within

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the (u,) expectations of the number of purchases and of its square."""
        first, second = np.zeros(len(self.alive)), np.zeros(len(self.alive))
        rows = np.flatnonzero((self.z > 0) & (self.alive > 0))
        for m, weight in _terms():
            tail = self.at_least(m, rows)
            first[rows] += weight * tail
            second[rows] += weight * (2 * m - 1) * tail
            rows = rows[tail > NEGLIGIBLE]
            if not len(rows):
                break
        return first, second


def quantile_of(outlooks: list[Outlook], probability: float) -> np.ndarray:
    """Return the (u,) smallest numbers n with P(at most n purchases) >= `probability`, by the outlooks' equal mixture."""
    size = len(outlooks[0].alive)
    low, high = np.zeros(size), np.zeros(size)

    def reached(n: np.ndarray, rows: np.ndarray) -> np.ndarray:
        beyond = sum(outlook.at_least(n[rows] + 1, rows) for outlook in outlooks) / len(outlooks)
        return np.asarray(beyond <= 1 - probability)

    rows = np.arange(size)
    while len(rows := rows[~reached(high, rows)]):  # up, until everybody's answer lies in [low, high]
        low[rows], high[rows] = high[rows] + 1, 2 * high[rows] + 1
    rows = np.flatnonzero(low < high)
    while len(rows):
        middle = np.floor((low + high) / 2)
        enough = reached(middle, rows)
        high[rows[enough]] = middle[rows[enough]]
        low[rows[~enough]] = middle[rows[~enough]] + 1
        rows = rows[low[rows] < high[rows]]
    return low


def _terms() -> Iterator[tuple[float, float]]:
    """Yield m and the number of terms for which it stands."""
    for m in range(1, SINGLE_TERMS + 1):
        yield float(m), 1.0
    start, length = SINGLE_TERMS + 0.5, SINGLE_TERMS
    for _ in range(BLOCKS):
        for node, weight in zip(NODES, NODE_WEIGHTS, strict=True):
            yield start + length * (node + 1) / 2, length * weight / 2
        start, length = start + length, 2 * length


def delta_interval(
    model: PurchaseModel,
    function: Callable[[PurchaseModel], np.ndarray],
    *,
    level: float = 0.95,
    is_share: bool = False,
) -> Interval:
    """Return a function of the parameters with the error that comes from estimating them (delta method).

    It says how surely the expectation is known, not how far one customer's purchases scatter around it.

    Parameters
    ----------
    function : callable
        Model to values of any shape, for example ``lambda m: expected_purchases(m, [52])``.
    level : float
        Probability of the interval, taken on the log scale (logit for shares), so that it stays within bounds.
    is_share : bool
        Whether the values are probabilities.
    """
    value = function(model)
    gradient = np.array([(function(moved) - function(back)) / (2 * STEP) for moved, back in _moved(model)])
    free = np.isfinite(np.diag(model.covariance))
    covariance = model.covariance[np.ix_(free, free)]
    gradient = gradient.reshape(len(free), value.size)[free]
    error = np.sqrt(np.maximum(np.einsum("iv,ij,jv->v", gradient, covariance, gradient), 0)).reshape(value.shape)
    width = float(ndtri((1 + level) / 2)) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        if is_share:
            slope = np.where((value > 0) & (value < 1), value * (1 - value), np.inf)
            middle = np.where(np.isinf(slope), 0.0, logit(np.clip(value, 1e-300, 1 - 1e-16)))
            low, high = expit(middle - width / slope), expit(middle + width / slope)
            low, high = (np.where(np.isinf(slope), value, bound) for bound in (low, high))
        else:
            factor = np.exp(np.where(value > 0, width / np.where(value > 0, value, 1), 0))
            low, high = value / factor, value * factor
    return Interval(value, error, low, high)


def _moved(model: PurchaseModel) -> Iterator[tuple[PurchaseModel, PurchaseModel]]:
    """Yield the model with each parameter a little up and a little down."""
    for name in ("r", "alpha", "a", "b"):
        value = getattr(model, name)
        yield replace(model, **{name: value * np.exp(STEP)}), replace(model, **{name: value * np.exp(-STEP)})


def _state(model: PurchaseModel, triples: Triples) -> tuple[np.ndarray, np.ndarray]:
    """Return (u,) P(alive) and the (k, u) probabilities of the Erlang steps passed since the last purchase."""
    log_alive, log_lost, share_of_step = Likelihood(model.family, triples).parts(*model.parameters)
    return expit(log_alive - log_lost), share_of_step


def _per_triple(model: PurchaseModel, triples: Triples, t: np.ndarray) -> np.ndarray:
    """Return the (u,) expected purchases of each triple in its own (u,) `t`."""
    if not np.isfinite(t).all() or (t < 0).any():
        raise ValueError("the time to look ahead must be a finite number, 0 or more")
    if model.family.k > 1 or model.a + model.b > LARGE:
        return Outlook(model, triples, t).moments()[0]
    if abs(model.a - 1) > NEAR_ONE:
        return _closed_form(model, triples, t)
    sides = (replace(model, a=1 - NEAR_ONE), replace(model, a=1 + NEAR_ONE))
    return np.mean([_closed_form(side, triples, t) for side in sides], axis=0)


def _closed_form(model: PurchaseModel, triples: Triples, t: np.ndarray) -> np.ndarray:
    """Return the (u,) expectations for k = 1."""
    r, alpha, a, b = model.parameters
    chances = triples.frequency + model.family.lost_at_once
    z = t / (alpha + triples.T + t)
    c = a + b + chances - 1
    # (1 - z)^(r + x) 2F1(r + x, b + x'; c; z) = (1 - z)^(a - 1) 2F1(c - r - x, a - 1; c; z)
    rest = (1 - z) ** (a - 1) * hyp2f1(c - r - triples.frequency, a - 1, c, z)
    return _state(model, triples)[0] * c / (a - 1) * (1 - rest)
