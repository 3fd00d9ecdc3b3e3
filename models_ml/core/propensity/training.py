"""Fit a propensity model and its baseline on training cut-offs; choose nothing outside the training window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from models_ml.core import trees
from models_ml.core.blend import BlendModel
from models_ml.core.propensity import settings as shared
from models_ml.core.propensity.parts import fit_blend
from models_ml.core.propensity.rows import population, usable_features
from models_ml.core.propensity.settings import Settings
from models_ml.core.propensity.tuning import calibration_line, choose


@dataclass(frozen=True)
class Trained:
    """What one training run fitted, and the settings that validation chose."""

    model: Any
    baseline: Any
    parameters: dict[str, Any]


def train(
    frame: pd.DataFrame,
    settings: Settings,
    *,
    horizon_days: int,
    excluded: frozenset[str] = frozenset(),
    seed: int = shared.SEED,
    threads: int = 2,
    rung: str = "own_model",
) -> Trained:
    """Fit on rows of the training cut-offs.

    Parameters
    ----------
    frame : DataFrame
        Feature columns, cut-off, entity, population and label as `settings` names them; one row per entity and cut-off. Rows
        outside the population are left out. Row order matters for nothing: rows are sorted first.
    settings : module
        The model's ``config``.
    horizon_days : int
        Length of the label window.
    excluded : frozenset of str
        Columns that must not be read (leaks, for example).
    rung : str
        ``"own_model"``, or for thin data a key of ``settings.LADDER``.

    Raises
    ------
    ValueError
        When no column tells entities apart.
    """
    rows = frame[population(frame, settings)]
    rows = rows.sort_values([settings.CUTOFF, settings.ENTITY], kind="stable", ignore_index=True)
    features = usable_features(rows, settings, excluded)
    if not features:
        raise ValueError("every feature column has one and the same value in all rows")
    facts = {"horizon_days": horizon_days, "training_rows": len(rows), "seed": seed}
    if rung != "own_model":
        of_model, of_baseline = settings.LADDER[rung]
        model = of_model.fit(rows, settings, excluded, facts, threads)
        baseline = of_baseline.fit(rows, settings, excluded, facts, threads)
        return Trained(model, baseline, {**model.facts, "rung": rung})
    choice = choose(rows, features, settings, horizon_days, seed, threads)
    blend = fit_blend(
        rows,
        features,
        settings,
        learning_rate=choice.learning_rate,
        tree_weight=choice.tree_weight,
        seed=seed,
        threads=threads,
    )
    slope, intercept = calibration_line(shared.LEVEL, blend, rows, choice, settings)
    model = replace(blend, slope=slope, intercept=intercept)
    parameters = {
        **shared.TREE_PARAMETERS,
        "rounds": trees.ROUNDS,
        "max_depth": trees.MAX_DEPTH,
        **vars(choice),
        **facts,
    }
    baseline = settings.BASELINE.fit(rows, settings, excluded, facts, threads)
    return Trained(_with_facts(model, parameters), baseline, parameters)


def _with_facts(model: BlendModel, parameters: dict[str, Any]) -> BlendModel:
    share = round(100 * model.tree_weight)
    method = f"{share} % gradient-boosted trees, {100 - share} % logistic regression, blended in log-odds"
    return replace(model, facts={**parameters, "method": method})
