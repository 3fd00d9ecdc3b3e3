"""Load a fitted model, score with it, and say why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from models_ml.churn import config
from models_ml.core.customer_phrases import PHRASES
from models_ml.core.propensity.serving import MlflowModel, load
from models_ml.core.reasons import reasons_frame

__all__ = ["contributions", "load", "predict", "reasons"]


def predict(model: Any, frame: pd.DataFrame) -> np.ndarray:
    """Return the (n,) probabilities that nothing is bought within the window.

    Raises
    ------
    ValueError
        When `frame` lacks a column that the model was trained on.
    """
    return model.probability(model.matrix(frame))


def contributions(model: Any, frame: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Return the (n, k) contributions of `model.features` and the base; each row plus base is logit(`predict`)."""
    return model.contributions(model.matrix(frame))


def reasons(
    model: Any,
    frame: pd.DataFrame,
    contributions: np.ndarray,
    base: float,
    top: int = 5,
    *,
    currency: str = "",
) -> pd.DataFrame:
    """Return the `top` reasons for and the `top` against of each row, in sentences.

    Parameters
    ----------
    contributions : ndarray of shape (n, k)
        From `contributions`.
    currency : str
        Written behind amounts.

    Returns
    -------
    DataFrame
        entity_id, rank, direction ("+" or "-"), feature, feature_value (text or None), contribution, statement. Ranks
        run from the strongest reason to the weakest, for and against together; then `other` (everything else summed)
        and `base`. The contributions of an entity sum to logit(p).
    """
    return reasons_frame(
        entity_id=frame[config.ENTITY].to_numpy(dtype=object),
        frame=frame,
        features=model.features,
        contributions=contributions,
        base=base,
        top=top,
        phrases=PHRASES,
        tails={"+": "speaks for losing the customer", "-": "speaks for keeping the customer"},
        currency=currency,
    )


def _load_pyfunc(path: str) -> MlflowModel:
    """Open the model for MLflow's generic loader (its name is MLflow's)."""
    return MlflowModel(load(path))
