"""Load a fitted propensity model from its files, and wrap it for MLflow's generic loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core import threshold
from models_ml.core.blend import MODEL_FILE, BlendModel
from models_ml.core.threshold import ThresholdModel


def load(folder: Path | str, threads: int = 2) -> BlendModel | ThresholdModel:
    """Read a model, or a rule, from its folder of plain files."""
    path = Path(folder)
    if json.loads((path / MODEL_FILE).read_text(encoding="utf-8")).get("kind") == threshold.KIND:
        return ThresholdModel.load(path)
    return BlendModel.load(path, threads)


class MlflowModel:
    """What ``mlflow.pyfunc.load_model`` returns wraps this: frames in, probabilities out."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> np.ndarray:
        """Return the (n,) probabilities."""
        del params
        return self.model.probability(self.model.matrix(frame))
