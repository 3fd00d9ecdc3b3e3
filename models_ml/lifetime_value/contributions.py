"""How much each factor of a product adds to it: Shapley values, exact for the few factors that a value has."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np


def shapley_of_product(factors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return (n, k) contributions that sum, in each row, to product(factors) - product(centre).

    A factor's contribution is the mean, over all orders in which the factors can be changed from `centre` to their own value,
    of what changing it adds (Shapley 1953, A value for n-person games).

    Parameters
    ----------
    factors : ndarray of shape (n, k)
    centre : ndarray of shape (k,)
        What each factor is compared with.
    """
    count = factors.shape[1]
    found = np.zeros_like(factors)
    for place in range(count):
        others = [number for number in range(count) if number != place]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for changed in combinations(others, size):
                kept = [number for number in others if number not in changed]
                found[:, place] += weight * factors[:, list(changed)].prod(axis=1) * centre[kept].prod()
    return found * (factors - centre)
