"""Fit the model and its baseline on training cut-offs; choose nothing outside the training window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core import linear, trees
from models_ml.core.blend import BlendModel, float_matrix
from models_ml.purchase_propensity import config
from models_ml.purchase_propensity.features import label, population, usable_features
from models_ml.purchase_propensity.parts import fit_blend
from models_ml.purchase_propensity.tuning import calibration_line, choose


@dataclass(frozen=True)
class Trained:
    """What one training run fitted, and the settings that validation chose."""

    model: BlendModel
    baseline: BlendModel
    parameters: dict[str, Any]


def train(
    frame: pd.DataFrame,
    *,
    horizon_days: int,
    excluded: frozenset[str] = frozenset(),
    seed: int = config.SEED,
    threads: int = 2,
    rung: str = "own_model",
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
    rung : str
        ``"own_model"``, or for thin data ``"simpler_model"`` or ``"rule"`` (`config.LADDER`): a regression on a few columns,
        with the rung below as its baseline.

    Raises
    ------
    ValueError
        When no column tells customers apart.
    """
    rows = frame[population(frame)].sort_values([config.CUTOFF, config.ENTITY], kind="stable", ignore_index=True)
    features = usable_features(rows, excluded)
    if not features:
        raise ValueError("every feature column has one and the same value in all rows")
    facts = {"horizon_days": horizon_days, "training_rows": len(rows), "seed": seed}
    if rung != "own_model":
        return _fit_rung(rung, rows, excluded, facts, threads)
    choice = choose(rows, features, horizon_days, seed, threads)
    blend = fit_blend(
        rows,
        features,
        learning_rate=choice.learning_rate,
        tree_weight=choice.tree_weight,
        seed=seed,
        threads=threads,
    )
    slope, intercept = calibration_line(config.LEVEL, blend, rows, choice)
    model = replace(blend, slope=slope, intercept=intercept)
    parameters = {
        **config.TREE_PARAMETERS,
        "rounds": trees.ROUNDS,
        "max_depth": trees.MAX_DEPTH,
        **vars(choice),
        **facts,
    }
    baseline = _fit_regression(rows, config.BASELINE_FEATURES, excluded, facts, threads)
    return Trained(_with_facts(model, parameters), baseline, parameters)


def _fit_rung(rung: str, rows: pd.DataFrame, excluded: frozenset[str], facts: dict[str, Any], threads: int) -> Trained:
    """Fit the regression of a lower rung, and the rung below as its baseline."""
    of_model, of_baseline = config.LADDER[rung]
    model = _fit_regression(rows, of_model, excluded, facts, threads)
    if of_baseline:
        baseline = _fit_regression(rows, of_baseline, excluded, facts, threads)
    else:
        baseline = _share_of_all(rows, model.features[:1], facts, threads)
    return Trained(model, baseline, {**model.facts, "rung": rung})


def _fit_regression(
    rows: pd.DataFrame, wanted: Sequence[str], excluded: frozenset[str], facts: dict[str, Any], threads: int
) -> BlendModel:
    columns = tuple(name for name in wanted if name in rows.columns and name not in excluded)
    if not columns:
        raise ValueError(f"none of {', '.join(wanted)} can be used")
    part = linear.fit(float_matrix(rows, columns), label(rows), columns)
    method = "logistic regression on " + ", ".join(columns)
    return BlendModel(columns, None, part, 0.0, facts={**facts, "method": method}, threads=threads)


def _share_of_all(rows: pd.DataFrame, columns: tuple[str, ...], facts: dict[str, Any], threads: int) -> BlendModel:
    """Return the same probability for everybody, as a regression whose only coefficient is zero."""
    rate = float(np.clip(label(rows).mean(), 1e-6, 1 - 1e-6))
    zero = np.zeros(len(columns))
    part = linear.LogLinear(columns, zero, np.ones(len(columns)), zero, float(np.log(rate / (1 - rate))))
    method = "the share of all customers who bought, for everybody alike"
    return BlendModel(columns, None, part, 0.0, facts={**facts, "method": method}, threads=threads)


def _with_facts(model: BlendModel, parameters: dict[str, Any]) -> BlendModel:
    share = round(100 * model.tree_weight)
    method = f"{share} % gradient-boosted trees, {100 - share} % logistic regression, blended in log-odds"
    return replace(model, facts={**parameters, "method": method})
