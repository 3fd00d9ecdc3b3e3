"""Fit the model and its baseline on training cut-offs; choose nothing outside the training window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core import calibration, linear, trees
from models_ml.core.blend import BlendModel, float_matrix
from models_ml.core.folds import entity_part, validation_folds
from models_ml.purchase_propensity import config
from models_ml.purchase_propensity.features import label, population, usable_features


@dataclass(frozen=True)
class Trained:
    """What one training run fitted, and the settings that validation chose."""

    model: BlendModel
    baseline: BlendModel
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """Settings chosen on validation cut-offs."""

    learning_rate: float
    tree_weight: float
    slope: float
    log_loss: float


def train(
    frame: pd.DataFrame,
    *,
    horizon_days: int,
    excluded: frozenset[str] = frozenset(),
    seed: int = config.SEED,
    threads: int = 2,
) -> Trained:
    """Fit on rows of the training cut-offs.

    Parameters
    ----------
    frame : DataFrame
        Feature columns, `as_of`, `customer_id`, `has_purchased` and the label; one row per customer and cut-off. Rows
        outside the population are left out. Row order matters for nothing: rows are sorted first.
    horizon_days : int
        Length of the label window.
    excluded : frozenset of str
        Columns that must not be read (leaks, for example).

    Raises
    ------
    ValueError
        When no column tells customers apart.
    """
    rows = frame[population(frame)].sort_values([config.CUTOFF, config.ENTITY], kind="stable", ignore_index=True)
    features = usable_features(rows, excluded)
    if not features:
        raise ValueError("every feature column has one and the same value in all rows")
    matrix, truth = float_matrix(rows, features), label(rows)
    choice = _choose(rows, matrix, truth, features, horizon_days, seed, threads)
    model = _fit_blend(matrix, truth, features, choice, seed, threads)
    facts = {"horizon_days": horizon_days, "training_rows": len(rows), "seed": seed}
    parameters = {
        **config.TREE_PARAMETERS,
        "rounds": trees.ROUNDS,
        "max_depth": trees.MAX_DEPTH,
        **vars(choice),
        **facts,
    }
    baseline = _fit_baseline(rows, truth, excluded, facts, threads)
    return Trained(_with_facts(model, parameters), baseline, parameters)


def _choose(
    rows: pd.DataFrame,
    matrix: np.ndarray,
    truth: np.ndarray,
    features: tuple[str, ...],
    horizon_days: int,
    seed: int,
    threads: int,
) -> Choice:
    """Return the learning rate, blend weight and slope with the lowest log loss on validation cut-offs."""
    keep = _tuning_rows(rows)
    matrix, truth = matrix[keep], truth[keep]
    as_of, entity = rows[config.CUTOFF][keep], rows[config.ENTITY][keep]
    folds = validation_folds(as_of, entity, horizon_days, config.VALIDATION_CUTOFFS)
    folds = [(fit, held) for fit, held in folds if truth[fit].min() < truth[fit].max() and held.any()]
    if not folds:
        return Choice(config.LEARNING_RATES[0], 0.5, 1.0, float("nan"))
    held_truth = np.concatenate([truth[held] for _, held in folds])
    group = np.repeat(np.arange(len(folds)), [int(held.sum()) for _, held in folds])
    places = _linear_places(features)
    regression = np.concatenate([_fold_regression(matrix, truth, features, places, fold) for fold in folds])
    choices = []
    for rate in config.LEARNING_RATES:
        margins = []
        for fit, held in folds:
            booster = _fit_trees(matrix[fit], truth[fit], features, rate, seed, threads)
            margins.append(trees.margin(booster, matrix[held]))
        boosted = np.concatenate(margins)
        for weight in config.TREE_WEIGHTS if places else (1.0,):
            slope, loss = calibration.fit_slope(weight * boosted + (1 - weight) * regression, held_truth, group)
            choices.append(Choice(rate, weight, slope, loss))
    return min(choices, key=lambda choice: choice.log_loss)


def _fold_regression(
    matrix: np.ndarray,
    truth: np.ndarray,
    features: tuple[str, ...],
    places: list[int],
    fold: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    fit, held = fold
    if not places:
        return np.zeros(int(held.sum()))
    return _fit_linear(matrix[fit], truth[fit], features, places).margin(matrix[held][:, places])


def _fit_linear(
    matrix: np.ndarray, truth: np.ndarray, features: tuple[str, ...], places: list[int]
) -> linear.LogLinear:
    columns = [features[place] for place in places]
    return linear.fit(matrix[:, places], truth, columns, _directions(columns))


def _fit_trees(
    matrix: np.ndarray, truth: np.ndarray, features: tuple[str, ...], learning_rate: float, seed: int, threads: int
) -> Any:
    parameters = {
        **config.TREE_PARAMETERS,
        "learning_rate": learning_rate,
        "monotone_constraints": tuple(_directions(features)),
    }
    return trees.fit(matrix, truth, parameters, seed=seed, threads=threads)


def _directions(features: Sequence[str]) -> list[int]:
    return [config.DIRECTIONS.get(name, 0) for name in features]


def _fit_blend(
    matrix: np.ndarray, truth: np.ndarray, features: tuple[str, ...], choice: Choice, seed: int, threads: int
) -> BlendModel:
    """Fit both parts on all training rows; the level of the probabilities is that of all training cut-offs together."""
    places = _linear_places(features)
    tables = part = None
    if choice.tree_weight > 0:
        tables = trees.to_tables(_fit_trees(matrix, truth, features, choice.learning_rate, seed, threads))
    if choice.tree_weight < 1:
        part = _fit_linear(matrix, truth, features, places)
    if tables is None and part is not None:
        matrix, features = matrix[:, places], part.columns
    uncalibrated = BlendModel(features, tables, part, choice.tree_weight, choice.slope, threads=threads)
    level = calibration.fit_level(uncalibrated.margin(matrix), float(truth.mean()))
    return replace(uncalibrated, intercept=level)


def _fit_baseline(
    rows: pd.DataFrame, truth: np.ndarray, excluded: frozenset[str], facts: dict[str, Any], threads: int
) -> BlendModel:
    columns = tuple(name for name in config.BASELINE_FEATURES if name in rows.columns and name not in excluded)
    part = linear.fit(float_matrix(rows, columns), truth, columns)
    method = "logistic regression on " + ", ".join(columns)
    return BlendModel(columns, None, part, 0.0, facts={**facts, "method": method}, threads=threads)


def _with_facts(model: BlendModel, parameters: dict[str, Any]) -> BlendModel:
    share = round(100 * model.tree_weight)
    method = f"{share} % gradient-boosted trees, {100 - share} % logistic regression, blended in log-odds"
    return replace(model, facts={**parameters, "method": method})


def _linear_places(features: tuple[str, ...]) -> list[int]:
    return [features.index(name) for name in config.LINEAR_FEATURES if name in features]


def _tuning_rows(rows: pd.DataFrame) -> np.ndarray:
    """Return the mask of the rows that settings are chosen on: all, or a fixed share of the customers."""
    if len(rows) <= config.MAX_TUNING_ROWS:
        return np.ones(len(rows), dtype=bool)
    share = config.MAX_TUNING_ROWS / len(rows)
    return entity_part(rows[config.ENTITY], 10_000) < share * 10_000
