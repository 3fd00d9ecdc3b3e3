"""Calibration by one straight line in log-odds (Platt), its slope and its level taken from where each can be known."""

from __future__ import annotations

import numpy as np

STEPS = 50
TOLERANCE = 1e-10
RIDGE = 1e-6
SLOPE_RANGE = (0.2, 3.0)


def logistic_newton(design: np.ndarray, label: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the (k,) coefficients that maximise the likelihood of (n,) `label` given the (n, k) `design`."""
    coefficients = start.astype(np.float64)
    for _ in range(STEPS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients, -30, 30)))
        gradient = design.T @ (label - probability) - RIDGE * coefficients
        weight = probability * (1 - probability)
        hessian = (design * weight[:, None]).T @ design + RIDGE * np.eye(design.shape[1])
        step = np.linalg.solve(hessian, gradient)
        coefficients += np.clip(step, -5, 5)
        if np.abs(step).max() < TOLERANCE:
            break
    return coefficients


def fit_slope(margin: np.ndarray, label: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Return the slope that calibrates margins of rows the model has not seen, and the log loss it leaves.

    Each validation cut-off has a level of its own in the fit: how many customers buy differs from season to season, and
    that difference is no error in the ranking or the sharpness of the model.

    Parameters
    ----------
    margin, label : ndarray of shape (n,)
    group : ndarray of shape (n,)
        Number of the validation cut-off, 0 to g - 1.
    """
    groups = int(group.max()) + 1
    design = np.column_stack([margin, np.eye(groups)[group]])
    coefficients = logistic_newton(design, label, np.r_[1.0, np.zeros(groups)])
    slope = float(np.clip(coefficients[0], *SLOPE_RANGE))
    if slope != coefficients[0]:
        levels = [fit_level(slope * margin[group == g], float(label[group == g].mean())) for g in range(groups)]
        coefficients = np.r_[slope, levels]
    return slope, log_loss(design @ coefficients, label)


def fit_level(margin: np.ndarray, rate: float) -> float:
    """Return the shift after which the mean probability of `margin` is `rate`."""
    rate = min(max(rate, 1e-6), 1 - 1e-6)
    low, high = -40.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        mean = float((1.0 / (1.0 + np.exp(-np.clip(margin + middle, -500, 500)))).mean())
        low, high = (middle, high) if mean < rate else (low, middle)
    return (low + high) / 2


def log_loss(margin: np.ndarray, label: np.ndarray) -> float:
    """Return the mean negative log-likelihood of log-odds."""
    return float(np.mean(np.logaddexp(0.0, margin) - label * margin))
