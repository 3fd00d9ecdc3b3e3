"""Candidates (k-means for each number of segments, density clustering), how clear and stable each is, and the choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from models_ml.segments import config


@dataclass(frozen=True)
class Candidate:
    """One way to group the customers.

    Attributes
    ----------
    method : str
        ``kmeans`` or ``hdbscan``.
    centres : (s, k) ndarray
        Everybody belongs to the nearest one.
    silhouette : float
        -1 to 1: how much nearer customers lie to their own segment than to the next.
    stability : float
        Mean adjusted Rand index between this grouping and those fitted on halves of the customers; 1 is the same.
    smallest, largest : float
        Shares of the customers.
    objection : str
        Why it cannot be taken; empty when it can.
    """

    method: str
    centres: np.ndarray
    silhouette: float
    stability: float
    smallest: float
    largest: float
    objection: str

    @property
    def segments(self) -> int:
        """How many segments it has."""
        return len(self.centres)


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the (n,) number of the centre that each of the (n, k) points is nearest to."""
    squares = (centres**2).sum(axis=1)
    return np.argmin(squares[None, :] - 2 * points @ centres.T, axis=1)


def candidates(points: np.ndarray, *, seed: int = config.SEED) -> list[Candidate]:
    """Fit and judge every candidate on (n, k) points; k-means first, by number of segments.

    Fitted on a sample of `config.FIT_ROWS`; the same points and seed give the same candidates.
    """
    rng = np.random.default_rng(seed)
    sample = _sample(points, config.FIT_ROWS, rng)
    distinct = len(np.unique(sample, axis=0))
    with threadpool_limits(limits=1):  # on so few rows threads wait for each other longer than they work
        found = [_kmeans_candidate(sample, number, seed) for number in config.NUMBERS if number < distinct]
        density = _density_centres(_sample(sample, config.DENSITY_ROWS, rng))
        if len(density) > 1:
            found.append(_judged("hdbscan", density, sample, _halves_by_density(sample, seed), seed))
    return found


def choose(found: list[Candidate]) -> Candidate | None:
    """Return the candidate to take: no objection, nearly as clear as the clearest, and of those the most segments."""
    open_ones = [it for it in found if not it.objection]
    if not open_ones:
        return None
    clearest = max(it.silhouette for it in open_ones)
    clear = [it for it in open_ones if it.silhouette >= config.NEARLY_AS_CLEAR * clearest]
    return max(clear, key=lambda it: (it.segments, it.silhouette))


def _kmeans_candidate(sample: np.ndarray, number: int, seed: int) -> Candidate:
    centres = _kmeans(sample, number, seed)
    halves = [_kmeans(half, number, seed) for half in _halves(sample, seed)]
    return _judged("kmeans", centres, sample, halves, seed)


def _kmeans(points: np.ndarray, number: int, seed: int) -> np.ndarray:
    return KMeans(number, n_init=4, random_state=seed).fit(points).cluster_centers_


def _density_centres(points: np.ndarray) -> np.ndarray:
    """Return the means of the dense groups; who lies between them (noise) is given to the nearest later."""
    fewest = max(config.DENSITY_FEWEST, int(config.DENSITY_SHARE * len(points)))
    if len(points) <= fewest:
        return np.empty((0, points.shape[1]))
    labels = HDBSCAN(min_cluster_size=fewest, copy=True).fit(points).labels_
    return np.array([points[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def _halves_by_density(sample: np.ndarray, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [_density_centres(_sample(half, config.DENSITY_ROWS, rng)) for half in _halves(sample, seed)]


def _halves(points: np.ndarray, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed + 1)
    return [_sample(points, len(points) // 2, rng) for _ in range(config.RESAMPLES)]


def _judged(method: str, centres: np.ndarray, sample: np.ndarray, halves: list[np.ndarray], seed: int) -> Candidate:
    labels = nearest(sample, centres)
    agreement = [adjusted_rand_score(labels, nearest(sample, half)) if len(half) else 0.0 for half in halves]
    shares = np.bincount(labels, minlength=len(centres)) / len(labels)
    silhouette = 0.0
    if len(np.unique(labels)) > 1:
        judged = np.random.default_rng(seed).permutation(len(sample))[: config.SILHOUETTE_ROWS]
        if len(np.unique(labels[judged])) > 1:
            silhouette = float(silhouette_score(sample[judged], labels[judged]))
    stability, smallest, largest = float(np.mean(agreement)), float(shares.min()), float(shares.max())
    return Candidate(
        method, centres, silhouette, stability, smallest, largest, _objection(stability, smallest, largest)
    )


def _objection(stability: float, smallest: float, largest: float) -> str:
    if smallest < config.SMALLEST_SHARE:
        return f"its smallest segment has {smallest:.1%} of the customers, less than {config.SMALLEST_SHARE:.0%}"
    if largest > config.LARGEST_SHARE:
        return f"its largest segment has {largest:.0%} of the customers, more than {config.LARGEST_SHARE:.0%}"
    if stability < config.LEAST_STABILITY:
        return f"fits on halves of the customers agree to {stability:.2f} only, less than {config.LEAST_STABILITY:g}"
    return ""


def _sample(points: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    if len(points) <= rows:
        return points
    return points[np.sort(rng.permutation(len(points))[:rows])]
