"""How much a purchase is worth: the Gamma-Gamma model of spending (Fader and Hardie 2013, a note by that name).

The amounts of a customer are Gamma(p, nu), and nu ~ Gamma(q, gamma) over customers, whatever how often they buy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, gammaln

from models_ml.lifetime_value.maximum_likelihood import Maximum, maximise

NAMES = ("p", "q", "gamma")
# With amounts scaled so that their mean is 1.
STARTS = tuple(
    np.log(np.array(start, dtype=np.float64)) for start in ((1, 2, 1), (6, 4, 0.5), (2, 10, 5), (0.5, 1.5, 2))
)
MIN_CUSTOMERS = 3  # one for each parameter


@dataclass(frozen=True)
class GammaGamma:
    """A fitted Gamma-Gamma model.

    Parameters
    ----------
    p, q, gamma : float
        gamma is in money.
    standard_errors : dict of float
        By parameter, from the Hessian; NaN where a parameter ran to its limit.
    covariance : ndarray of shape (3, 3)
        Of log(p, q, gamma).
    log_likelihood : float
    customers, excluded : int
        Fitted on, and left out for want of a repeat purchase or of a mean value above 0 (returns).
    correlation : float
        Of frequency and mean value among the customers fitted on. The model takes it for 0; far from it (a rule of thumb
        says 0.3) the value of frequent customers is misjudged.
    is_inside : bool
        False when a parameter ran to its limit: customers all alike, for example.
    """

    p: float
    q: float
    gamma: float
    standard_errors: dict[str, float]
    covariance: np.ndarray
    log_likelihood: float
    customers: int
    excluded: int
    correlation: float
    is_inside: bool

    @property
    def mean(self) -> float:
        """Mean value of a purchase over all customers; infinite for q <= 1."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else np.inf

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, of which `from_dict` makes the model again."""
        return {**vars(self), "covariance": self.covariance.tolist()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GammaGamma:
        """Return the model that `to_dict` described."""
        return cls(**{**values, "covariance": np.array(values["covariance"])})


def fit_gamma_gamma(frequency: npt.ArrayLike, mean_value: npt.ArrayLike) -> GammaGamma:
    """Fit by maximum likelihood on customers with a repeat purchase.

    Parameters
    ----------
    frequency : array of shape (n,)
        Repeat purchases that `mean_value` is the mean of.
    mean_value : array of shape (n,)
        Money; NaN where there is none. Customers with frequency 0 and with a mean of 0 or less are left out and counted.

    Raises
    ------
    ValueError
        When fewer than three customers are left.
    """
    x, value = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (frequency, mean_value))
    if x.shape != value.shape:
        raise ValueError(f"frequency and mean value must have one length, not {len(x)} and {len(value)}")
    used = has_own_value(x, value)
    if used.sum() < MIN_CUSTOMERS:
        raise ValueError(
            f"{int(used.sum())} of {len(x)} customers have a repeat purchase of some value; "
            f"the value of a purchase needs {MIN_CUSTOMERS} or more to learn from"
        )
    x, value = x[used], value[used]
    scale = float(value.mean())
    likelihood = _Likelihood(x, value / scale)
    maximum = maximise(likelihood.value_and_gradient, STARTS, float(len(x)))
    return _model(maximum, x, value, scale, excluded=int((~used).sum()))


def has_own_value(frequency: np.ndarray, mean_value: np.ndarray) -> np.ndarray:
    """Return the (n,) mask of customers whose mean value says something of them."""
    return (frequency > 0) & np.isfinite(mean_value) & (mean_value > 0)


def conditional_mean_value(model: GammaGamma, frequency: npt.ArrayLike, mean_value: npt.ArrayLike) -> np.ndarray:
    """Return the (n,) expected mean value of a customer's purchases to come.

    Own purchases and the mean of all, weighted by how many own ones there are; customers without a value of their own (see
    `has_own_value`) get the mean of all.
    """
    shape, rate = posterior(model, frequency, mean_value)
    return np.where(shape > 1, model.p * rate / np.maximum(shape - 1, 1e-300), np.inf)


def posterior(model: GammaGamma, frequency: npt.ArrayLike, mean_value: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) shape and rate of the gamma distribution of each customer's nu."""
    x, value = np.asarray(frequency, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    own = has_own_value(x, value)
    count = np.where(own, x, 0.0)
    return model.p * count + model.q, model.gamma + np.where(own, count * value, 0.0)


class _Likelihood:
    def __init__(self, x: np.ndarray, value: np.ndarray) -> None:
        self.n = len(x)
        self.x = x
        self.total = x * value
        self.unique, self.counts = np.unique(x, return_counts=True)
        self.log_value = np.log(value)
        self.sum_x_log_value = float(x @ self.log_value)
        self.sum_x_log_x = float(x @ np.log(x))

    def value_and_gradient(self, log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log-likelihood and its gradient in log(p, q, gamma)."""
        p, q, gamma = np.exp(log_parameters)
        px, counts = p * self.unique, self.counts
        log_rate = np.log(gamma + self.total)
        sum_log_rate, sum_x_log_rate = float(log_rate.sum()), float(self.x @ log_rate)
        value = (
            counts @ (gammaln(px + q) - gammaln(px))
            + self.n * (q * np.log(gamma) - gammaln(q))
            + p * (self.sum_x_log_value + self.sum_x_log_x)
            - float(self.log_value.sum())
            - p * sum_x_log_rate
            - q * sum_log_rate
        )
        by_p = (
            (counts * self.unique) @ (digamma(px + q) - digamma(px))
            + self.sum_x_log_value
            + self.sum_x_log_x
            - sum_x_log_rate
        )
        by_q = counts @ digamma(px + q) + self.n * (np.log(gamma) - digamma(q)) - sum_log_rate
        by_gamma = self.n * q / gamma - float(((p * self.x + q) / (gamma + self.total)).sum())
        return float(value), np.array([by_p * p, by_q * q, by_gamma * gamma])


def _model(maximum: Maximum, x: np.ndarray, value: np.ndarray, scale: float, *, excluded: int) -> GammaGamma:
    parameters = np.exp(maximum.log_parameters) * np.array([1, 1, scale])
    errors = parameters * np.sqrt(np.diag(maximum.covariance))
    varies = np.ptp(x) > 0 and np.ptp(value) > 0
    return GammaGamma(
        **dict(zip(NAMES, parameters.tolist(), strict=True)),
        standard_errors=dict(zip(NAMES, map(float, errors), strict=True)),
        covariance=maximum.covariance,
        log_likelihood=float(maximum.log_likelihood - len(x) * np.log(scale)),
        customers=len(x),
        excluded=excluded,
        correlation=float(np.corrcoef(x, value)[0, 1]) if varies else 0.0,
        is_inside=maximum.is_inside,
    )
