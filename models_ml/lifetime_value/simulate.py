"""Customers drawn from the models themselves: for tests, benchmarks and for trying what the models can know."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.lifetime_value.likelihood import Family


def simulate_purchases(
    family: Family, parameters: tuple[float, float, float, float], T: np.ndarray, horizon: float, seed: int
) -> pd.DataFrame:
    """Return customers of a family: what is seen up to T, and what follows.

    Parameters
    ----------
    parameters : tuple
        r, alpha, a, b.
    T : ndarray of shape (n,)
        Time since each customer's first purchase.
    horizon : float
        Length of the time after T that is counted too.
    seed : int

    Returns
    -------
    DataFrame
        frequency, recency, T, sum_log_gaps (of each customer's purchases up to T), future (purchases in (T, T + horizon]).
    """
    random = np.random.default_rng(seed)
    r, alpha, a, b = parameters
    n = len(T)
    rate = random.gamma(r, 1 / alpha, n)
    lost = random.beta(a, b, n)
    active = random.uniform(size=n) >= lost if family.lost_at_once else np.ones(n, dtype=bool)
    clock, recency, log_gaps = np.zeros(n), np.zeros(n), np.zeros(n)
    frequency, future = np.zeros(n), np.zeros(n)
    while active.any():  # each pass is one more purchase of everybody who is still there
        place = np.flatnonzero(active)
        gap = random.gamma(family.k, 1, len(place)) / rate[place]
        clock[place] += gap
        seen = clock[place] <= T[place]
        frequency[place[seen]] += 1
        recency[place[seen]] = clock[place[seen]]
        log_gaps[place[seen]] += np.log(gap[seen])
        future[place[~seen & (clock[place] <= T[place] + horizon)]] += 1
        stays = (random.uniform(size=len(place)) >= lost[place]) & (clock[place] <= T[place] + horizon)
        active[place] = stays
    return pd.DataFrame(
        {"frequency": frequency, "recency": recency, "T": T, "sum_log_gaps": log_gaps, "future": future}
    )


def simulate_values(
    p: float, q: float, gamma: float, frequency: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) observed and (n,) true mean values of customers of a Gamma-Gamma model; NaN observed where frequency is 0."""
    random = np.random.default_rng(seed)
    rate = random.gamma(q, 1 / gamma, len(frequency))
    count = np.maximum(frequency, 1)
    observed = random.gamma(p * count) / (rate * count)
    return np.where(frequency > 0, observed, np.nan), p / rate
