"""Fit the model and its baseline on training cut-offs."""

from __future__ import annotations

import pandas as pd

from models_ml.core.propensity import training
from models_ml.core.propensity.settings import SEED
from models_ml.core.propensity.training import Trained
from models_ml.purchase_propensity import config


def train(
    frame: pd.DataFrame,
    *,
    horizon_days: int,
    excluded: frozenset[str] = frozenset(),
    seed: int = SEED,
    threads: int = 2,
    rung: str = "own_model",
) -> Trained:
    """Fit on rows of the training cut-offs: see `models_ml.core.propensity.training.train`.

    Parameters
    ----------
    frame : DataFrame
        `config.FEATURES`, `as_of`, `customer_id`, `has_purchased` and `has_purchased_next`; one row per customer and cut-off.
    """
    return training.train(
        frame, config, horizon_days=horizon_days, excluded=excluded, seed=seed, threads=threads, rung=rung
    )
