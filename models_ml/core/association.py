"""How much one column by itself says about a 0/1 label."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.core.metrics import area_under_curve

TREE_DEPTH = 3
MIN_LEAF_ROWS = 20
# Numbers with few different values may be codes of categories, which no shallow tree can sort.
MAX_CODES = 50


def correlation(values: np.ndarray, label: np.ndarray) -> float:
    """Return the absolute correlation of (n,) `values` with (n,) `label`, 0 where one of them is constant."""
    if len(values) < 2 or values.std() == 0 or label.std() == 0:
        return 0.0
    return float(abs(np.corrcoef(values, label)[0, 1]))


def filled(values: np.ndarray) -> np.ndarray:
    """Return (n,) `values` with the mean of the others where one is missing."""
    missing = np.isnan(values)
    return np.where(missing, values[~missing].mean() if (~missing).any() else 0.0, values)


def codes(values: pd.Series) -> np.ndarray:
    """Return 0 to k - 1 for each of the (n,) categories; missing is a category of its own."""
    as_text = values.astype("object").where(values.isna(), values.astype(str))
    found, _ = pd.factorize(as_text, sort=True, use_na_sentinel=False)
    return found


def cramers_v(codes: np.ndarray, label: np.ndarray) -> float:
    """Return Cramer's V of (n,) categories with (n,) 0/1 `label`, corrected for the number of categories.

    Uncorrected, a column of ids would reach 1. Correction: Bergsma (2013), "A bias-correction for Cramer's V and
    Tschuprow's T", Journal of the Korean Statistical Society 42.
    """
    n, k = len(codes), int(codes.max()) + 1 if len(codes) else 0
    if n < 2 or k < 2 or label.min() == label.max():
        return 0.0
    counts = np.column_stack([np.bincount(codes, weights=weight, minlength=k) for weight in (1 - label, label)])
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / n
    phi_squared = float(((counts - expected) ** 2 / expected).sum()) / n
    corrected = max(0.0, phi_squared - (k - 1) / (n - 1))
    rows, columns = k - (k - 1) ** 2 / (n - 1), 2 - 1 / (n - 1)
    smallest = min(rows - 1, columns - 1)
    return float(min(1.0, np.sqrt(corrected / smallest))) if smallest > 0 else 0.0


def category_auc(codes: np.ndarray, label: np.ndarray, part: np.ndarray, folds: int) -> float:
    """Return the out-of-fold AUC of the label's mean by category, shrunk to the overall mean where rows are few."""
    k = int(codes.max()) + 1
    score = np.zeros(len(codes))
    for fold in range(folds):
        held = part == fold
        if not held.any() or held.all():
            continue
        rate = float(label[~held].mean())
        sums = np.bincount(codes[~held], weights=label[~held], minlength=k)
        counts = np.bincount(codes[~held], minlength=k)
        # centred on the fold's own rate: otherwise unknown categories would tell the folds apart
        score[held] = ((sums + MIN_LEAF_ROWS * rate) / (counts + MIN_LEAF_ROWS) - rate)[codes[held]]
    return area_under_curve(score, label) or 0.5


def numeric_auc(values: np.ndarray, label: np.ndarray, part: np.ndarray, folds: int) -> float:
    """Return the out-of-fold AUC of a small tree on (n,) `values` (it sees "zero or not" as well as "how much").

    Missing values lie below all others. Few different values are also tried as categories.
    """
    from sklearn.tree import DecisionTreeClassifier

    known = ~np.isnan(values)
    if not known.any():
        return 0.5
    values = np.where(known, values, values[known].min() - 1)
    if values.min() == values.max():
        return 0.5
    score = np.zeros(len(values))
    for fold in range(folds):
        held = part == fold
        if not held.any() or held.all() or label[~held].min() == label[~held].max():
            continue
        tree = DecisionTreeClassifier(max_depth=TREE_DEPTH, min_samples_leaf=MIN_LEAF_ROWS, random_state=0)
        tree.fit(values[~held, None], label[~held])
        score[held] = tree.predict_proba(values[held, None])[:, 1]
    auc = area_under_curve(score, label) or 0.5
    different, as_codes = np.unique(values, return_inverse=True)
    if 2 < len(different) <= MAX_CODES:
        auc = max(auc, category_auc(as_codes, label, part, folds))
    return auc
