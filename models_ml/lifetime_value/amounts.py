"""Amounts that are zero or else lognormal: intervals from a probability and two moments."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri


def bounds(
    any_purchase: np.ndarray, mean: np.ndarray, mean_square: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) amounts between which a customer will end with probability `level`.

    Parameters
    ----------
    any_purchase : ndarray of shape (n,)
        Probability of a purchase at all; without one the amount is 0.
    mean, mean_square : ndarray of shape (n,)
        Of the amount, zeros included. The amount given a purchase is taken for the lognormal with these moments.
    """
    share = np.clip(any_purchase, 1e-12, 1.0)
    centre, square = mean / share, mean_square / share
    known = centre > 0
    spread = np.sqrt(np.log(np.maximum(square[known] / centre[known] ** 2, 1.0)))
    low, high = np.zeros(len(share)), np.zeros(len(share))
    for probability, bound in (((1 - level) / 2, low), ((1 + level) / 2, high)):
        # Of the probability the first part lies at 0; the rest is a quantile of the amounts above 0.
        above = (probability - (1 - share[known])) / share[known]
        reach = np.exp(np.log(centre[known]) - spread**2 / 2 + spread * ndtri(np.clip(above, 1e-12, 1 - 1e-12)))
        bound[known] = np.where(above > 0, reach, 0.0)
    return low, high
