"""Fitting gradient-boosted trees; scoring is `shallow_trees`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost as xgb

from models_ml.core.shallow_trees import ShallowTrees

MAX_DEPTH = 3  # more than that gets no table of contributions (see `shallow_trees`)
ROUNDS = 200
# Below this, threads cost more than they bring, most of all on a busy machine.
MIN_ROWS_FOR_THREADS = 50_000


def fit(matrix: np.ndarray, label: np.ndarray, parameters: dict[str, Any], *, seed: int, threads: int) -> xgb.Booster:
    """Fit trees for a 0/1 label.

    Parameters
    ----------
    matrix : float32 ndarray of shape (n, k)
        NaN where missing.
    parameters : dict
        Of XGBoost, over the defaults here (depth, histogram method, log loss).
    """
    threads = threads if len(matrix) >= MIN_ROWS_FOR_THREADS else 1
    settings = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_depth": MAX_DEPTH,
        "seed": seed,
        "nthread": threads,
        "verbosity": 0,
        **parameters,
    }
    data = xgb.QuantileDMatrix(matrix, label=label, nthread=threads)
    return xgb.train(settings, data, num_boost_round=ROUNDS)


def margin(booster: xgb.Booster, matrix: np.ndarray) -> np.ndarray:
    """Return the (n,) log-odds of the float32 (n, k) `matrix`."""
    return booster.inplace_predict(matrix, predict_type="margin").astype(np.float64)


def to_tables(booster: xgb.Booster) -> ShallowTrees:
    """Return the fitted trees in the form that serves."""
    return ShallowTrees.from_native(bytes(booster.save_raw("json")))
