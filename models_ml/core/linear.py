"""Logistic regression on standardised logarithms, with its preprocessing inside: scoring cannot refit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Of the squared coefficients: next to nothing beside thousands of rows, yet enough to keep collinear columns in check.
PENALTY = 1.0
SMALLEST_SPREAD = 1e-12
BOUNDS = {1: (0.0, None), -1: (None, 0.0), 0: (None, None)}


@dataclass(frozen=True)
class LogLinear:
    """A fitted regression: log-odds = intercept + sum of coefficient x standardised log of the column.

    A missing value stands at the mean of its column and so contributes nothing.
    """

    columns: tuple[str, ...]
    mean: np.ndarray  # (k,) of the logs
    scale: np.ndarray  # (k,) of the logs, 1 where the column was constant
    coefficients: np.ndarray  # (k,)
    intercept: float

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Return the (n, k) standardised logs of (n, k) `values`."""
        logs = signed_log(values)
        logs -= self.mean.astype(logs.dtype)
        logs /= self.scale.astype(logs.dtype)
        return np.nan_to_num(logs, copy=False, nan=0.0)

    def margin(self, values: np.ndarray) -> np.ndarray:
        """Return the (n,) log-odds of (n, k) `values`."""
        return self.standardise(values).astype(np.float64) @ self.coefficients + self.intercept

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """Return (n, k) coefficient x (value - mean); with the intercept each row sums to its log-odds."""
        return self.standardise(values).astype(np.float64) * self.coefficients

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return {
            "columns": list(self.columns),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> LogLinear:
        """Read what `to_dict` wrote."""
        mean, scale, coefficients = (np.asarray(content[name]) for name in ("mean", "scale", "coefficients"))
        return cls(tuple(content["columns"]), mean, scale, coefficients, float(content["intercept"]))


def signed_log(values: np.ndarray) -> np.ndarray:
    """Return sign(x) x log(1 + |x|): money may be negative after returns."""
    logs = np.log1p(np.abs(values))
    return np.copysign(logs, values, out=logs)


def fit(
    values: np.ndarray, label: np.ndarray, columns: Sequence[str], directions: Sequence[int] | None = None
) -> LogLinear:
    """Fit the regression by penalised maximum likelihood.

    Parameters
    ----------
    values : ndarray of shape (n, k)
        Raw values of `columns`; NaN where missing.
    label : ndarray of shape (n,)
        0 or 1.
    directions : sequence of k int, optional
        1 where a coefficient must not be negative, -1 where it must not be positive, 0 where it is free.
    """
    from scipy.optimize import minimize

    logs = signed_log(values.astype(np.float64))
    known = np.isfinite(logs)
    counts = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, logs, 0.0).sum(axis=0) / counts
    spread = np.sqrt(np.where(known, (logs - mean) ** 2, 0.0).sum(axis=0) / counts)
    scale = np.where(spread > SMALLEST_SPREAD, spread, 1.0)
    standard = np.where(known, (logs - mean) / scale, 0.0)

    def loss_and_gradient(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = standard @ weights[1:] + weights[0]
        error = 1.0 / (1.0 + np.exp(-np.clip(margin, -500, 500))) - label
        loss = np.sum(np.logaddexp(0.0, margin) - label * margin) + 0.5 * PENALTY * weights[1:] @ weights[1:]
        return float(loss), np.r_[error.sum(), standard.T @ error + PENALTY * weights[1:]]

    bounds = [BOUNDS[0], *(BOUNDS[direction] for direction in directions or [0] * len(mean))]
    found = minimize(loss_and_gradient, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B", tol=1e-10)
    return LogLinear(tuple(columns), mean, scale, found.x[1:], float(found.x[0]))
