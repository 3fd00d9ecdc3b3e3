"""Candidate models behind one interface: fitted on a history, each gives every product a number for every customer."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from models_ml.recommendations import config
from models_ml.recommendations.history import History


class Scorer(Protocol):
    """Orders products for customers."""

    name: str

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return (len(rows), products) float32: the higher, the likelier bought next; -inf where it has no opinion."""


class Popularity:
    """What most customers have bought: the baseline."""

    name = "popularity"

    def __init__(self, known: History) -> None:
        self.buyers = known.buyers

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of buyers, the same for everybody."""
        return np.broadcast_to(self.buyers, (len(rows), len(self.buyers)))


class PersonalFrequency:
    """What the customer has bought most often, and popularity behind it: the baseline for repeat baskets."""

    name = "personal_frequency"

    def __init__(self, known: History) -> None:
        self.days, self.behind = known.days, known.buyers / (2 * known.buyers.max())

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the days on which the customer bought the product; less than one where never."""
        return self.days[rows].toarray() + self.behind


class CoPurchase:
    """What customers who bought the same products bought besides: cosine of the products' buyers."""

    name = "co_purchase"

    def __init__(self, known: History) -> None:
        bought = known.bought()
        together = (bought.T @ bought).toarray()
        scale = np.sqrt(np.maximum(known.buyers, 1))
        self.likeness = (together / scale[:, None] / scale[None, :]).astype(np.float32)
        np.fill_diagonal(self.likeness, 0.0)
        self.weighted = known.weighted()

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the likeness to what the customer has bought, newer purchases counting more."""
        return self.weighted[rows] @ self.likeness


class LinearAutoencoder:
    """EASE (Steck 2019): the ridge regression of each product on all others, in closed form."""

    name = "linear_autoencoder"

    def __init__(self, known: History) -> None:
        bought = known.bought()
        gram = (bought.T @ bought).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += config.RIDGE
        inverse = np.linalg.inv(gram)
        self.weights = (-inverse / np.diag(inverse)).astype(np.float32)
        np.fill_diagonal(self.weights, 0.0)
        self.weighted = known.weighted()

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the regression's prediction from what the customer has bought, newer purchases counting more."""
        return self.weighted[rows] @ self.weights


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the (n, count) columns of the highest `scores`, highest first; ties go to the first product."""
    count = min(count, scores.shape[1])
    top = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    top.sort(axis=1)
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)
