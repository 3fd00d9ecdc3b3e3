"""What a training run chooses, and only inside its training window: each cut-off predicted by a model of those closed then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models_ml.core import calibration, trees
from models_ml.core.blend import BlendModel, float_matrix
from models_ml.core.folds import entity_part, validation_folds
from models_ml.core.propensity import settings as shared
from models_ml.core.propensity.parts import fit_linear, fit_trees, linear_places
from models_ml.core.propensity.rows import label
from models_ml.core.propensity.settings import Settings

LEVEL_RULES = ("all_cutoffs", "newest_cutoff", "validation_cutoff", "uncalibrated")


@dataclass(frozen=True)
class Choice:
    """Settings chosen on validation cut-offs.

    Parameters
    ----------
    log_loss : float
        Of these settings on the validation cut-offs.
    validation_level : float
        The level of the newest validation cut-off: what Platt's method would take.
    """

    learning_rate: float
    tree_weight: float
    slope: float
    log_loss: float
    validation_level: float = 0.0


@dataclass(frozen=True)
class _Fold:
    """Labels of a validation cut-off, and the log-odds of parts that were fitted on what was closed then."""

    truth: np.ndarray
    regression: np.ndarray
    boosted: dict[float, np.ndarray]


def choose(
    rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, horizon_days: int, seed: int, threads: int
) -> Choice:
    """Return learning rate, blend weight and slope with the lowest log loss on validation cut-offs."""
    rows = rows[_tuning_rows(rows, settings)]
    folds = _folds(rows, features, settings, horizon_days, seed, threads)
    if not folds:
        return Choice(shared.LEARNING_RATES[0], 0.5, 1.0, float("nan"))
    truth = np.concatenate([fold.truth for fold in folds])
    regression = np.concatenate([fold.regression for fold in folds])
    group = np.repeat(np.arange(len(folds)), [len(fold.truth) for fold in folds])
    newest = group == 0  # folds come newest first
    choices = []
    for rate in shared.LEARNING_RATES:
        boosted = np.concatenate([fold.boosted[rate] for fold in folds])
        for weight in shared.TREE_WEIGHTS if linear_places(features, settings) else (1.0,):
            blended = weight * boosted + (1 - weight) * regression
            slope, loss = calibration.fit_slope(blended, truth, group)
            level = calibration.fit_level(slope * blended[newest], float(truth[newest].mean()))
            choices.append(Choice(rate, weight, slope, loss, level))
    return min(choices, key=lambda choice: choice.log_loss)


def calibration_line(
    rule: str, blend: BlendModel, rows: pd.DataFrame, choice: Choice, settings: Settings
) -> tuple[float, float]:
    """Return the slope and the intercept of the calibration line of a fitted `blend`.

    Parameters
    ----------
    rule : str
        Where the level comes from, one of `LEVEL_RULES`: all training cut-offs together, the newest of them, the newest
        validation cut-off (Platt), or nowhere: the blend as it was fitted.
    """
    if rule == "uncalibrated":
        return 1.0, 0.0
    if rule == "validation_cutoff":
        return choice.slope, choice.validation_level
    used = rows if rule == "all_cutoffs" else rows[rows[settings.CUTOFF] == rows[settings.CUTOFF].max()]
    margin = replace(blend, slope=choice.slope).margin(float_matrix(used, blend.features))
    return choice.slope, calibration.fit_level(margin, float(label(used, settings).mean()))


def _folds(
    rows: pd.DataFrame, features: tuple[str, ...], settings: Settings, horizon_days: int, seed: int, threads: int
) -> list[_Fold]:
    matrix, truth = float_matrix(rows, features), label(rows, settings)
    masks = validation_folds(rows[settings.CUTOFF], rows[settings.ENTITY], horizon_days, shared.VALIDATION_CUTOFFS)
    folds = []
    for fit, held in masks:
        if truth[fit].min() == truth[fit].max() or not held.any():
            continue
        boosted = {
            rate: trees.margin(
                fit_trees(matrix[fit], truth[fit], features, settings, rate, seed, threads), matrix[held]
            )
            for rate in shared.LEARNING_RATES
        }
        folds.append(_Fold(truth[held], _regression(matrix, truth, fit, held, features, settings), boosted))
    return folds


def _regression(
    matrix: np.ndarray,
    truth: np.ndarray,
    fit: np.ndarray,
    held: np.ndarray,
    features: tuple[str, ...],
    settings: Settings,
) -> np.ndarray:
    places = linear_places(features, settings)
    if not places:
        return np.zeros(int(held.sum()))
    return fit_linear(matrix[fit], truth[fit], features, settings).margin(matrix[held][:, places])


def _tuning_rows(rows: pd.DataFrame, settings: Settings) -> np.ndarray:
    """Return the mask of the rows that settings are chosen on: all, or a fixed share of the customers."""
    if len(rows) <= shared.MAX_TUNING_ROWS:
        return np.ones(len(rows), dtype=bool)
    share = shared.MAX_TUNING_ROWS / len(rows)
    return entity_part(rows[settings.ENTITY], 10_000) < share * 10_000
