"""Load a kept model, and ask it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from models_ml.recommendations.history import history
from models_ml.recommendations.recommend import recommend
from models_ml.recommendations.recommender import Recommender


def load(folder: Path | str, threads: int = 2) -> Recommender:
    """Read a model from its folder of plain files."""
    return Recommender.load(Path(folder), threads)


def predict(model: Recommender, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what to recommend to everybody in `frame` on the evening of its last day; see `recommend.recommend`.

    Parameters
    ----------
    frame : DataFrame
        Purchases: customer_id, product_id, bought_on.
    """
    known = history(frame, pd.to_datetime(frame["bought_on"]).max().date())
    return recommend(model.scorer(known), known, known.customers)


def example() -> pd.DataFrame:
    """Return a few made-up purchases, for the model's signature."""
    bought = [("ada", "tea"), ("ada", "mug"), ("ben", "tea"), ("ben", "pot"), ("eve", "mug"), ("eve", "tea")]
    days = ["2026-01-05", "2026-01-05", "2026-01-12", "2026-02-02", "2026-02-09", "2026-02-09"]
    return pd.DataFrame(bought, columns=["customer_id", "product_id"]).assign(bought_on=days)


def _load_pyfunc(path: str) -> MlflowModel:
    """Open the model for MLflow's generic loader (its name is MLflow's)."""
    return MlflowModel(load(path))


class MlflowModel:
    """What ``mlflow.pyfunc.load_model`` returns wraps this: purchases in, recommendations out."""

    def __init__(self, model: Recommender) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        """Return the recommendations."""
        del params
        return predict(self.model, frame)
