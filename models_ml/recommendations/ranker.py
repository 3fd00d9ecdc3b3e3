"""The ranker: trees that put candidates of all kinds into one order, learnt from months whose purchases are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost as xgb
from scipy import sparse

from models_ml.recommendations import config
from models_ml.recommendations.history import History, values_at
from models_ml.recommendations.scorers import LinearAutoencoder, best

FEATURES = (
    "days_bought",
    "days_since_bought",
    "days_since_first_bought",
    "share_of_purchase_days",
    "autoencoder",
    "recent_buyers",
    "buyers",
    "recent_share",
    "repeated",
    "basket",
    "days_on_sale",
    "purchase_days",
    "recency",
    "tenure",
    "days_since_bought_beyond_recency",
)


@dataclass(frozen=True)
class Candidates:
    """Products that come into question, as parallel arrays: place among the asked rows, column of the product, features."""

    place: np.ndarray
    column: np.ndarray
    features: np.ndarray


class Ranker:
    """Orders the candidates of a history by a model that was fitted on earlier ones (`fit`)."""

    name = "ranker"

    def __init__(self, known: History, booster: xgb.Booster) -> None:
        self.known, self.booster, self.autoencoder = known, booster, LinearAutoencoder(known)

    def score(self, rows: np.ndarray) -> np.ndarray:
        """Return the probability that the product is bought within the horizon; -inf for what is no candidate."""
        found = candidates(self.known, self.autoencoder, rows)
        scores = np.full((len(rows), len(self.known.products)), -np.inf, dtype=np.float32)
        scores[found.place, found.column] = self.booster.inplace_predict(found.features)
        return scores


def candidates(known: History, autoencoder: LinearAutoencoder, rows: np.ndarray) -> Candidates:
    """Return the candidates of some rows: all that they have bought, the autoencoder's best, and the best sellers."""
    alike = autoencoder.score(rows)
    is_candidate = known.days[rows].toarray() > 0
    np.put_along_axis(is_candidate, best(alike, config.AUTOENCODER_CANDIDATES), True, axis=1)
    is_candidate[:, best(known.recent_buyers[None, :], config.BEST_SELLERS)[0]] = True
    place, column = np.nonzero(is_candidate)
    return Candidates(place, column, _features(known, rows[place], column, alike[place, column]))


def lesson(known: History, rows: np.ndarray, bought: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return features and label (bought within the horizon) of the candidates of a month that is over.

    Parameters
    ----------
    known : History
        What was known when the month began.
    rows : ndarray
        The customers who came back in it.
    bought : csr_matrix of shape (len(rows), products)
        What they bought then.
    """
    features, label, autoencoder = [], [], LinearAutoencoder(known)
    for start in range(0, len(rows), config.BLOCK_ROWS):
        block = slice(start, start + config.BLOCK_ROWS)
        found = candidates(known, autoencoder, rows[block])
        features.append(found.features)
        label.append(np.asarray(bought[block].toarray()[found.place, found.column] > 0))
    return np.vstack(features), np.concatenate(label)


def fit(lessons: list[tuple[np.ndarray, np.ndarray]], *, seed: int, threads: int) -> xgb.Booster:
    """Fit on the `lesson` of each of some months."""
    features, label = (np.concatenate(parts) for parts in zip(*lessons, strict=True))
    data = xgb.QuantileDMatrix(features, label=label, nthread=threads)
    return xgb.train({**config.RANKER_PARAMETERS, "seed": seed, "nthread": threads}, data, config.RANKER_ROUNDS)


def _features(known: History, row: np.ndarray, column: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Return the (n, k) float32 features in the order of `FEATURES`; NaN where the customer never bought the product."""
    days, age, first = (values_at(matrix, row, column) for matrix in (known.days, known.age, known.first_age))
    never = days == 0
    since = np.where(never, np.nan, age)
    return np.column_stack(
        [
            days,
            since,
            np.where(never, np.nan, first),
            days / known.purchase_days[row],
            alike,
            known.recent_buyers[column],
            known.buyers[column],
            known.recent_buyers[column] / np.maximum(known.buyers[column], 1),
            known.repeated[column],
            np.diff(known.days.indptr)[row] / known.purchase_days[row],
            known.on_sale_days[column],
            known.purchase_days[row],
            known.recency[row],
            known.tenure[row],
            since - known.recency[row],
        ]
    ).astype(np.float32)
