"""One challenge: fit a model and its baseline, judge both and the present champion on the same holdout, decide, register."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_agents import model_versions, registry
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_card import write_card
from crm_agents.model_catalog import ModelSpec
from crm_agents.promotion import BASELINE_METHOD, MODEL_METHOD, Candidate, PromotionDecision, decide
from crm_agents.registry import Registered, Registration
from crm_agents.settings import load_settings
from crm_agents.training_data import TrainingData
from crm_agents.usability import Finding, leakage_findings

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Challenge:
    """What a challenge starts from."""

    spec: ModelSpec
    company: Company
    as_of: date
    data: TrainingData
    excluded: frozenset[str]
    training_key: str


@dataclass(frozen=True)
class Judged:
    """A fitted model with its metrics and grade on the holdout."""

    fitted: Any
    metrics: dict[str, Any]
    grade: str


@dataclass(frozen=True)
class Outcome:
    """How a challenge ended.

    Attributes
    ----------
    version : str
        The challenger's.
    serving : str or None
        The version that serves now.
    champion_problem : Finding or None
        Why the present champion could not be judged.
    """

    decision: PromotionDecision
    challenger: Judged
    baseline: Judged
    version: str
    serving: str | None
    champion_problem: Finding | None


def screen_for_leaks(spec: ModelSpec, data: TrainingData) -> tuple[frozenset[str], list[Finding]]:
    """Return the columns to leave out, and what the leakage check found."""
    from models_ml.core.blend import float_matrix
    from models_ml.core.folds import entity_part
    from models_ml.core.leakage import FOLDS, screen

    config = spec.module("config")
    rows = data.training
    columns = [name for name in config.FEATURES if name in rows.columns]
    label = rows[config.LABEL].to_numpy(dtype=float)
    suspicions = screen(float_matrix(rows, columns), label, entity_part(rows[config.ENTITY], FOLDS), columns)
    excluded = frozenset(item.column for item in suspicions if item.is_dropped)
    return excluded, leakage_findings(suspicions, spec.features_table)


def run(challenge: Challenge) -> Outcome:
    """Fit, judge, decide and register; the decision and the versions are written in one transaction."""
    trained = challenge.spec.module("train").train(
        challenge.data.training,
        horizon_days=challenge.company.prediction.horizon_days,
        excluded=challenge.excluded,
        threads=load_settings().model_threads,
    )
    baseline = judge(challenge, trained.baseline, None)
    challenger = judge(challenge, trained.model, baseline.metrics)
    champion, problem = judge_champion(challenge, baseline)
    judged = {MODEL_METHOD: challenger, BASELINE_METHOD: baseline}
    files = _files(challenge, judged)
    decision = decide(
        candidate(challenge, "the new model", MODEL_METHOD, challenger, has_card=registry.CARD in files),
        champion,
        candidate(challenge, "the baseline", BASELINE_METHOD, baseline, has_card=registry.CARD in files),
        challenge.company.promotion,
        challenge.as_of,
    )
    versions = _register(challenge, trained.parameters, judged, files, decision)
    registry.sync_aliases(challenge.spec.name)
    serving = registry.champion(challenge.spec.name, challenge.as_of)
    return Outcome(
        decision, challenger, baseline, versions[MODEL_METHOD].version, serving.version if serving else None, problem
    )


def judge(challenge: Challenge, fitted: Any, baseline_metrics: dict[str, Any] | None) -> Judged:
    """Evaluate a fitted model on the holdout; its grade is against `baseline_metrics` (None: it is the baseline)."""
    evaluate = challenge.spec.module("evaluate")
    rules = challenge.company.promotion
    metrics = evaluate.evaluate(fitted, challenge.data.holdout, min_slice_rows=rules.min_slice_rows)
    return Judged(fitted, metrics, evaluate.grade(metrics, baseline_metrics or metrics))


def judge_champion(challenge: Challenge, baseline: Judged) -> tuple[Candidate | None, Finding | None]:
    """Evaluate who serves now on the challenger's holdout; files that cannot be used count as nobody."""
    version = registry.champion(challenge.spec.name, challenge.as_of)
    if version is None:
        return None, None
    try:
        judged = judge(challenge, registry.load(version).fitted, baseline.metrics)
    except (CrmAgentsError, ValueError) as error:
        detail = f"version {version.version}, the champion, cannot be judged: {error}"
        return None, Finding("champion", "is_usable", "warning", detail, challenge.spec.features_table)
    found = candidate(
        challenge, f"version {version.version}", version.method, judged, has_card=version.card_uri is not None
    )
    return replace(found, trained_as_of=version.trained_as_of or found.trained_as_of), None


def candidate(challenge: Challenge, name: str, method: str, judged: Judged, *, has_card: bool) -> Candidate:
    """Describe a judged model to the gate."""
    holdout = challenge.data.cutoffs.test
    return Candidate(
        name=name,
        method=method,
        metrics=judged.metrics,
        grade=judged.grade,
        holdout=f"{len(challenge.data.holdout):,} rows as of {holdout}",
        trained_as_of=challenge.as_of,
        has_card=has_card,
        primary_metric=challenge.spec.module("config").PRIMARY_METRIC,
    )


def _register(
    challenge: Challenge,
    parameters: dict[str, Any],
    judged: dict[str, Judged],
    files: dict[str, bytes],
    decision: PromotionDecision,
) -> dict[str, Registered]:
    """Register model and baseline in MLflow, then write both and the promotion to ``crm_ai.models``."""
    versions = {method: _register_one(challenge, method, found, parameters, files) for method, found in judged.items()}
    baseline_metrics = judged[BASELINE_METHOD].metrics
    rows = [
        {
            "model": challenge.spec.name,
            "version": versions[method].version,
            "method": method,
            "grade": found.grade,
            "primary_metric": challenge.spec.module("config").PRIMARY_METRIC,
            "metrics": found.metrics,
            "baseline_metrics": baseline_metrics,
            "trained_as_of": challenge.as_of,
            "training_snapshot": challenge.data.snapshot,
            "artifact_uri": versions[method].artifact_uri,
            "artifact_sha256": versions[method].artifact_sha256,
            "card_uri": versions[method].card_uri,
            "decision": "; ".join(decision.reasons),
            "training_key": challenge.training_key,
        }
        for method, found in judged.items()
    ]
    serves = {"challenger": MODEL_METHOD, "baseline": BASELINE_METHOD}.get(decision.serve)
    promoted = versions[serves].version if serves else None
    model_versions.record(rows, promoted, challenge.as_of, "; ".join(decision.reasons))
    return versions


def _register_one(
    challenge: Challenge, method: str, judged: Judged, parameters: dict[str, Any], files: dict[str, bytes]
) -> Registered:
    data = challenge.data
    example = _made_up_rows(data.training, judged.fitted.features)
    with tempfile.TemporaryDirectory(prefix="crm-agents-fitted-") as scratch:
        folder = Path(scratch) / "fitted"
        judged.fitted.save(folder)
        return registry.register(
            Registration(
                model=challenge.spec.name,
                method=method,
                folder=folder,
                parameters=parameters if method == MODEL_METHOD else judged.fitted.facts,
                metrics=judged.metrics,
                tags={
                    "grade": judged.grade,
                    "as_of": challenge.as_of.isoformat(),
                    "snapshot": str(data.snapshot),
                    "training_cutoffs": ", ".join(day.isoformat() for day in data.cutoffs.train),
                    "holdout": data.cutoffs.test.isoformat(),
                    "training_key": challenge.training_key,
                },
                input_example=example,
                output_example=challenge.spec.module("predict").predict(judged.fitted, example),
                files=files,
            )
        )


def _files(challenge: Challenge, judged: dict[str, Judged]) -> dict[str, bytes]:
    """Return model card and charts."""
    from models_ml.core import charts

    model, baseline = judged[MODEL_METHOD], judged[BASELINE_METHOD]
    predictions = challenge.spec.module("evaluate").predictions
    probability, label = predictions(model.fitted, challenge.data.holdout)
    baseline_probability, _ = predictions(baseline.fitted, challenge.data.holdout)
    card = write_card(
        challenge.spec,
        as_of=challenge.as_of,
        horizon_days=challenge.company.prediction.horizon_days,
        grade=model.grade,
        method=model.fitted.facts["method"],
        baseline_method=baseline.fitted.facts["method"],
        features=model.fitted.features,
        excluded=sorted(challenge.excluded),
        data=challenge.data,
        metrics=model.metrics,
        baseline_metrics=baseline.metrics,
    )
    return {
        registry.CARD: card.encode(),
        "calibration.png": charts.calibration_chart(probability, baseline_probability, label),
        "lift.png": charts.lift_chart(probability, baseline_probability, label),
    }


def _made_up_rows(rows: pd.DataFrame, features: tuple[str, ...]) -> pd.DataFrame:
    """Return a few typical rows, each column at one of its quantiles: no row of them is a customer's."""
    return rows[list(features)].astype("float64").quantile(list(EXAMPLE_QUANTILES)).reset_index(drop=True)
