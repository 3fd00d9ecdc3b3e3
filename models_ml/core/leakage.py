"""Find columns that know the answer: a first screen, column by column, on training rows only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models_ml.core.metrics import area_under_curve

MAX_ASSOCIATION = 0.95
SUSPICIOUS_AUC = 0.90
IMPOSSIBLE_AUC = 0.95
FOLDS = 3
TREE_DEPTH = 3
MIN_LEAF_ROWS = 20
MAX_ROWS = 20_000


@dataclass(frozen=True)
class Suspicion:
    """One column that is too good to be true, or nearly so."""

    column: str
    check: Literal["correlation", "missing_values", "single_column_auc"]
    value: float
    is_dropped: bool


def screen(matrix: np.ndarray, label: np.ndarray, part: np.ndarray, columns: Sequence[str]) -> list[Suspicion]:
    """Return the suspicious columns, each with its strongest finding.

    Parameters
    ----------
    matrix : ndarray of shape (n, k)
        NaN where missing.
    label : ndarray of shape (n,)
        0 or 1.
    part : ndarray of shape (n,)
        0 to 2, the same for all rows of a customer: a single-column tree is judged on customers it has not seen.
    columns : sequence of k str
    """
    step = -(-len(matrix) // MAX_ROWS)  # rows are sorted by cut-off, so every step-th row keeps their mix
    matrix, label, part = matrix[::step], label[::step], part[::step]
    found = []
    for place, name in enumerate(columns):
        suspicion = _column(matrix[:, place].astype(np.float64), label, part, name)
        if suspicion:
            found.append(suspicion)
    return found


def _column(values: np.ndarray, label: np.ndarray, part: np.ndarray, name: str) -> Suspicion | None:
    missing = np.isnan(values)
    association = _correlation(missing.astype(np.float64), label)
    if association > MAX_ASSOCIATION:
        return Suspicion(name, "missing_values", association, True)
    if missing.all():
        return None
    filled = np.where(missing, values[~missing].mean(), values)
    association = _correlation(filled, label)
    if association > MAX_ASSOCIATION:
        return Suspicion(name, "correlation", association, True)
    auc = _single_column_auc(np.where(missing, values[~missing].min() - 1, values), label, part)
    if auc > SUSPICIOUS_AUC:
        return Suspicion(name, "single_column_auc", auc, auc > IMPOSSIBLE_AUC)
    return None


def _correlation(values: np.ndarray, label: np.ndarray) -> float:
    if values.std() == 0 or label.std() == 0:
        return 0.0
    return float(abs(np.corrcoef(values, label)[0, 1]))


def _single_column_auc(values: np.ndarray, label: np.ndarray, part: np.ndarray) -> float:
    """Return the out-of-fold AUC of a small tree on one column (it sees "zero or not" as well as "how much")."""
    from sklearn.tree import DecisionTreeClassifier

    if values.min() == values.max():
        return 0.5
    score = np.zeros(len(values))
    for fold in range(FOLDS):
        held = part == fold
        if not held.any() or label[~held].min() == label[~held].max():
            continue
        tree = DecisionTreeClassifier(max_depth=TREE_DEPTH, min_samples_leaf=MIN_LEAF_ROWS, random_state=0)
        tree.fit(values[~held, None], label[~held])
        score[held] = tree.predict_proba(values[held, None])[:, 1]
    return area_under_curve(score, label) or 0.5
