"""Fit BG/NBD and its relatives to (frequency, recency, T), by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from models_ml.lifetime_value.likelihood import Family, Likelihood
from models_ml.lifetime_value.maximum_likelihood import Maximum, ValueAndGradient, maximise
from models_ml.lifetime_value.triples import Triples, aggregate

NAMES = ("r", "alpha", "a", "b")
# With time scaled so that the mean T is 1. Few or many buyers, quickly or slowly lost.
STARTS = tuple(
    np.log(np.array(start, dtype=np.float64))
    for start in ((1, 1, 1, 1), (0.3, 0.2, 0.8, 2.5), (1, 0.2, 0.5, 5), (3, 1, 2, 2), (0.5, 0.5, 0.1, 1), (1, 1, 5, 50))
)
# More unique triples than this: the starts are compared on a sample of them, and only the best climbs on all.
SEARCH_TRIPLES = 5_000
SEED = 20_260_101


@dataclass(frozen=True)
class PurchaseModel:
    """A fitted model of repeat purchases.

    Parameters
    ----------
    family : Family
    r, alpha : float
        Shape and rate (in the unit of time of the data) of the gamma distribution of buying rates.
    a, b : float
        Of the beta distribution of the probability of being lost after a purchase.
    standard_errors : dict of float
        By parameter, from the Hessian; NaN where a parameter ran to its limit.
    covariance : ndarray of shape (4, 4)
        Of log(r, alpha, a, b).
    log_likelihood : float
        For k = 1 that of the literature. For k > 1 it includes the density of the gaps (see `fit_mbgcnbdk`), so that
        families with different k can be compared.
    customers : float
        Sum of the weights.
    unique_triples : int
    is_inside : bool
        False when a parameter ran to its limit (`maximum_likelihood.Maximum`).
    gradient_norm : float
    """

    family: Family
    r: float
    alpha: float
    a: float
    b: float
    standard_errors: dict[str, float]
    covariance: np.ndarray
    log_likelihood: float
    customers: float
    unique_triples: int
    is_inside: bool
    gradient_norm: float

    @property
    def parameters(self) -> np.ndarray:
        """(4,) r, alpha, a, b."""
        return np.array([self.r, self.alpha, self.a, self.b])

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, of which `from_dict` makes the model again."""
        values = {name: value for name, value in vars(self).items() if name not in ("family", "covariance")}
        return {
            **values,
            "k": self.family.k,
            "lost_at_once": self.family.lost_at_once,
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PurchaseModel:
        """Return the model that `to_dict` described."""
        rest = {name: value for name, value in values.items() if name not in ("k", "lost_at_once", "covariance")}
        family = Family(values["k"], values["lost_at_once"])
        return cls(family=family, covariance=np.array(values["covariance"]), **rest)


def fit_bgnbd(
    frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike, weight: npt.ArrayLike | None = None
) -> PurchaseModel:
    """Fit BG/NBD (Fader, Hardie and Lee 2005, "Counting Your Customers" the Easy Way).

    Parameters
    ----------
    frequency : array of shape (n,)
        Repeat purchases.
    recency, T : arrays of shape (n,)
        Time from the first to the last purchase, and from the first to the end of the observation; any unit.
    weight : array of shape (n,), optional
        Customers that each row stands for.

    Raises
    ------
    ValueError
        See `triples.check`; and when no customer has bought again, or no time has passed.
    """
    return fit(Family(), aggregate(frequency, recency, T, weight))


def fit_mbgcnbdk(
    frequency: npt.ArrayLike,
    recency: npt.ArrayLike,
    T: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
    *,
    k: int,
    sum_log_gaps: float | None = None,
) -> PurchaseModel:
    """Fit MBG/CNBD-k (Platzer and Reutterer 2016, Ticking Away the Moments); k = 1 is MBG/NBD.

    Parameters
    ----------
    k : int
        Regularity of the gaps between purchases.
    sum_log_gaps : float, optional
        Sum over all customers of the logarithms of their gaps between purchases (weighted). With it the log-likelihood
        is that of all gaps; without it that of frequency and recency alone, which also tells k, less surely. Both leave the
        parameters as they are.
    """
    return fit(Family(k, lost_at_once=True), aggregate(frequency, recency, T, weight), sum_log_gaps)


def fit(family: Family, triples: Triples, sum_log_gaps: float | None = None) -> PurchaseModel:
    """Fit one family to triples; see `fit_bgnbd` and `fit_mbgcnbdk`."""
    if family.k < 1 or family.k != int(family.k):
        raise ValueError(f"k must be a whole number from 1 on, not {family.k}")
    if not (triples.frequency * triples.weight).any():
        raise ValueError("no customer has bought more than once, so there is no rhythm of buying to learn from")
    scale = float(np.average(triples.T, weights=triples.weight))
    scaled = Triples(triples.frequency, triples.recency / scale, triples.T / scale, triples.weight, triples.inverse)
    likelihood = Likelihood(family, scaled)
    maximum = maximise(likelihood.value_and_gradient, STARTS, likelihood.total_weight, _search(family, scaled))
    return _model(family, triples, maximum, scale, sum_log_gaps)


def _search(family: Family, triples: Triples) -> ValueAndGradient | None:
    """Return the mean log-likelihood of a sample of many triples, drawn by their weights, or None for few."""
    unique = len(triples.frequency)
    if unique <= SEARCH_TRIPLES:
        return None
    share = triples.weight / triples.weight.sum()
    drawn = np.random.default_rng(SEED).multinomial(SEARCH_TRIPLES, share)
    kept = np.flatnonzero(drawn)
    sample = Triples(
        triples.frequency[kept], triples.recency[kept], triples.T[kept], drawn[kept] / SEARCH_TRIPLES, kept
    )
    return Likelihood(family, sample).value_and_gradient


def _model(
    family: Family, triples: Triples, maximum: Maximum, scale: float, sum_log_gaps: float | None
) -> PurchaseModel:
    parameters = np.exp(maximum.log_parameters) * np.array([1, scale, 1, 1])
    errors = parameters * np.sqrt(np.diag(maximum.covariance))
    purchases = float(triples.weight @ triples.frequency)
    value = maximum.log_likelihood - family.k * purchases * np.log(scale)
    return PurchaseModel(
        family=family,
        **dict(zip(NAMES, parameters.tolist(), strict=True)),
        standard_errors=dict(zip(NAMES, map(float, errors), strict=True)),
        covariance=maximum.covariance,
        log_likelihood=float(value + _log_density_of_gaps(family.k, triples, sum_log_gaps)),
        customers=float(triples.weight.sum()),
        unique_triples=len(triples.frequency),
        is_inside=maximum.is_inside,
        gradient_norm=maximum.gradient_norm,
    )


def _log_density_of_gaps(k: int, triples: Triples, sum_log_gaps: float | None) -> float:
    """Return what the times of purchases add to the log-likelihood whatever the parameters; 0 for k = 1.

    Without the gaps: x Erlang-k gaps add up to one Erlang-kx; relative to k = 1 its density differs by this.
    """
    x, t_x, weight = (values[triples.frequency > 0] for values in (triples.frequency, triples.recency, triples.weight))
    if sum_log_gaps is not None:
        return (k - 1) * sum_log_gaps - float(weight @ x) * float(gammaln(k))
    return float(weight @ ((k - 1) * x * np.log(t_x) - gammaln(k * x) + gammaln(x)))
