"""The two parts of the blend, trees and regression, fitted on a matrix or on rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core import linear, trees
from models_ml.core.blend import BlendModel, float_matrix
from models_ml.core.propensity import settings as shared
from models_ml.core.propensity.rows import label
from models_ml.core.propensity.settings import Settings


def fit_blend(
    rows: pd.DataFrame,
    features: tuple[str, ...],
    settings: Settings,
    *,
    learning_rate: float,
    tree_weight: float,
    seed: int,
    threads: int,
) -> BlendModel:
    """Fit both parts on `rows`; the blend is not calibrated yet. A part without weight is left out."""
    matrix, truth = float_matrix(rows, features), label(rows, settings)
    tables = part = None
    if tree_weight > 0:
        tables = trees.to_tables(fit_trees(matrix, truth, features, settings, learning_rate, seed, threads))
    if tree_weight < 1:
        part = fit_linear(matrix, truth, features, settings)
    if tables is None and part is not None:
        features = part.columns
    return BlendModel(features, tables, part, tree_weight, threads=threads)


def fit_trees(
    matrix: np.ndarray,
    truth: np.ndarray,
    features: tuple[str, ...],
    settings: Settings,
    learning_rate: float,
    seed: int,
    threads: int,
) -> Any:
    """Fit the trees on a float32 (n, k) `matrix`; directions are held."""
    parameters = {
        **shared.TREE_PARAMETERS,
        "learning_rate": learning_rate,
        "monotone_constraints": tuple(_directions(features, settings)),
    }
    return trees.fit(matrix, truth, parameters, seed=seed, threads=threads)


def fit_linear(
    matrix: np.ndarray, truth: np.ndarray, features: tuple[str, ...], settings: Settings
) -> linear.LogLinear:
    """Fit the regression on its own columns of a float32 (n, k) `matrix`; directions are held."""
    places = linear_places(features, settings)
    columns = [features[place] for place in places]
    return linear.fit(matrix[:, places], truth, columns, _directions(columns, settings))


def linear_places(features: tuple[str, ...], settings: Settings) -> list[int]:
    """Return where the regression's columns are among `features`."""
    return [features.index(name) for name in settings.LINEAR_FEATURES if name in features]


def _directions(features: Sequence[str], settings: Settings) -> list[int]:
    return [settings.DIRECTIONS.get(name, 0) for name in features]
