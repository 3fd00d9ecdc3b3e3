"""Find the maximum of a smooth log-likelihood for certain: several starts, then Newton's steps until nothing moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

ValueAndGradient = Callable[[np.ndarray], tuple[float, np.ndarray]]

# exp(12) = 160,000 and its inverse: beyond, a gamma or beta distribution is a point for all that data can tell.
LOG_LIMIT = 12.0
STEP = 1e-4  # of the central differences of the gradient: errors of 1e-8 of the Hessian
NEWTON_STEPS = 30


@dataclass(frozen=True)
class Maximum:
    """Where the log-likelihood is largest.

    Parameters
    ----------
    log_parameters : ndarray of shape (p,)
    log_likelihood : float
    covariance : ndarray of shape (p, p)
        Of the log parameters, from the inverse Hessian; NaN where a parameter ran to its limit.
    is_inside : bool
        False when a parameter ran to its limit: the data know no maximum in it (customers all alike, for example).
    gradient_norm : float
        Largest component of the gradient a customer; 1e-8 and below is the maximum for certain.
    """

    log_parameters: np.ndarray
    log_likelihood: float
    covariance: np.ndarray
    is_inside: bool
    gradient_norm: float


def maximise(
    function: ValueAndGradient, starts: Sequence[np.ndarray], weight: float, search: ValueAndGradient | None = None
) -> Maximum:
    """Return the best maximum that any start leads to.

    Parameters
    ----------
    function : callable
        Log parameters (p,) to the log-likelihood and its gradient.
    starts : sequence of ndarray of shape (p,)
    weight : float
        Number of customers, by which value and gradient are divided so that tolerances mean the same at any size.
    search : callable, optional
        A cheaper function of the same shape (a sample of the customers) on which the starts are compared; the best point
        of it is then the only start on `function`.
    """
    if search is not None:
        starts = [_climb(search, start)[0] for start in starts]
        starts = [max(starts, key=lambda point: search(point)[0])]
    found = [_climb(lambda point: _scaled(function, point, weight), start) for start in starts]
    point = max(found, key=lambda pair: pair[1])[0]
    point = _polish(function, point, weight)
    value, gradient = function(point)
    free = np.abs(point) < LOG_LIMIT - 1e-6
    return Maximum(
        point,
        value,
        _covariance(function, point, free),
        bool(free.all()),
        float(np.abs(gradient[free]).max(initial=0.0) / weight),
    )


def hessian(function: ValueAndGradient, point: np.ndarray) -> np.ndarray:
    """Return the symmetric (p, p) Hessian at `point`, by central differences of the analytic gradient."""
    rows = []
    for axis in np.eye(len(point)) * STEP:
        rows.append((function(point + axis)[1] - function(point - axis)[1]) / (2 * STEP))
    matrix = np.array(rows)
    return (matrix + matrix.T) / 2


def _scaled(function: ValueAndGradient, point: np.ndarray, weight: float) -> tuple[float, np.ndarray]:
    value, gradient = function(point)
    return value / weight, gradient / weight


def _climb(function: ValueAndGradient, start: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the point and value that L-BFGS reaches from `start`."""

    def downhill(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = function(point)
        return -value, -gradient

    found = minimize(
        downhill,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LOG_LIMIT, LOG_LIMIT)] * len(start),
        options={"maxiter": 500, "ftol": 1e-15, "gtol": 1e-9},
    )
    return found.x, -float(found.fun)


def _polish(function: ValueAndGradient, point: np.ndarray, weight: float) -> np.ndarray:
    """Take Newton's steps among the parameters off their limits, as long as they climb."""
    value, gradient = function(point)
    for _ in range(NEWTON_STEPS):
        free = np.abs(point) < LOG_LIMIT - 1e-6
        if np.abs(gradient[free]).max(initial=0.0) <= 1e-10 * weight:
            break
        curvature = hessian(function, point)[np.ix_(free, free)]
        if not free.any() or np.linalg.eigvalsh(-curvature).min() <= 0:
            break
        trial = point.copy()
        trial[free] = np.clip(point[free] - np.linalg.solve(curvature, gradient[free]), -LOG_LIMIT, LOG_LIMIT)
        new_value, new_gradient = function(trial)
        flatter = np.abs(new_gradient[free]).max() < np.abs(gradient[free]).max()
        if not flatter or new_value < value - 1e-9 * abs(value):
            break
        point, value, gradient = trial, new_value, new_gradient
    return point


def _covariance(function: ValueAndGradient, point: np.ndarray, free: np.ndarray) -> np.ndarray:
    covariance = np.full((len(point), len(point)), np.nan)
    if free.any():
        information = -hessian(function, point)[np.ix_(free, free)]
        if np.isfinite(information).all() and np.linalg.eigvalsh(information).min() > 0:
            covariance[np.ix_(free, free)] = np.linalg.inv(information)
    return covariance
