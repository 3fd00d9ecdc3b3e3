"""One challenge: fit a model and its baseline, judge both and the present champion on the same holdout, decide, register."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_agents import model_versions, purchase_log, registry
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_card import card_and_charts, made_up_rows
from crm_agents.model_catalog import KNOWN_AT, ModelSpec
from crm_agents.promotion import BASELINE_METHOD, METHODS, Candidate, PromotionDecision, decide
from crm_agents.registry import Registered, Registration
from crm_agents.settings import load_settings
from crm_agents.training_data import TrainingData, times
from crm_agents.usability import Finding, leakage_findings

if TYPE_CHECKING:
    from models_ml.core.leakage import KnownAt


@dataclass(frozen=True)
class Challenge:
    """What a challenge starts from.

    Attributes
    ----------
    rung : str
        Of the minimum-data ladder: which model the data are enough for.
    because : str
        Why that rung.
    """

    spec: ModelSpec
    company: Company
    as_of: date
    data: TrainingData
    excluded: frozenset[str]
    training_key: str
    rung: str = "own_model"
    because: str = ""

    @property
    def known(self) -> dict[str, date]:
        """What a model of purchases is told besides them: the day up to which they are known."""
        return {} if self.spec.learns_from == "features" else {"cutoff": self.data.cutoffs.test}

    @property
    def method(self) -> str:
        """What the scores of the new version will carry."""
        return METHODS[self.rung]


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


def screen_for_leaks(spec: ModelSpec, data: TrainingData, company: Company) -> tuple[frozenset[str], list[Finding]]:
    """Return the columns to leave out, and what the leakage check found."""
    from models_ml.core.leakage import screen

    if spec.learns_from != "features":
        return frozenset(), purchase_log.leakage_findings(data.training, data.cutoffs.test, spec.features_table)
    config = spec.module("config")
    rows = data.training
    suspicions = screen(
        rows,
        rows[config.LABEL].to_numpy(dtype=float),
        [name for name in config.FEATURES if name in rows.columns],
        entity=config.ENTITY,
        times=times(spec),
        known_at=known_at(spec, company),
        scored_at=spec.scored_at,
    )
    excluded = frozenset(item.column for item in suspicions if item.is_dropped)
    return excluded, leakage_findings(suspicions, spec.features_table)


def known_at(spec: ModelSpec, company: Company) -> dict[str, KnownAt]:
    """Return, by attribute, when its value is known: as the schema implies, or as the company says."""
    table = f"{spec.attributes_of}."
    declared = {**KNOWN_AT, **company.known_at}
    return {name.removeprefix(table): moment for name, moment in declared.items() if name.startswith(table)}


def run(challenge: Challenge) -> Outcome:
    """Fit, judge, decide and register; the decision and the versions are written in one transaction.

    Raises
    ------
    CrmAgentsError
        When nothing can be fitted, or the registry cannot be written.
    """
    trained = _fit(challenge)
    baseline = judge(challenge, trained.baseline, None)
    challenger = judge(challenge, trained.model, baseline.metrics)
    champion, problem = judge_champion(challenge, baseline)
    judged = {challenge.method: challenger, BASELINE_METHOD: baseline}
    files = card_and_charts(
        challenge.spec,
        challenge.data,
        model=challenger,
        baseline=baseline,
        as_of=challenge.as_of,
        horizon_days=challenge.data.cutoffs.horizon_days,
        excluded=challenge.excluded,
        because=challenge.because,
    )
    decision = decide(
        candidate(challenge, "the new model", challenge.method, challenger, has_card=registry.CARD in files),
        champion,
        candidate(challenge, "the baseline", BASELINE_METHOD, baseline, has_card=registry.CARD in files),
        challenge.company.promotion,
        challenge.as_of,
    )
    versions = _register(challenge, trained.parameters, judged, files, decision)
    registry.sync_aliases(challenge.spec.name)
    serving = registry.champion(challenge.spec.name, challenge.as_of)
    version = versions[challenge.method].version
    return Outcome(decision, challenger, baseline, version, serving.version if serving else None, problem)


def _fit(challenge: Challenge) -> Any:
    """Return the fitted model of the rung, its baseline and the parameters."""
    train = challenge.spec.module("train").train
    rung = {} if challenge.rung == "own_model" else {"rung": challenge.rung}
    try:
        return train(
            challenge.data.training,
            horizon_days=challenge.data.cutoffs.horizon_days,
            excluded=challenge.excluded,
            threads=load_settings().model_threads,
            **rung,
            **challenge.known,
        )
    except ValueError as error:
        raise CrmAgentsError(
            f"{challenge.spec.name} cannot be trained: {error}.",
            f"crm_ai.data_usability says what was left out (columns: {', '.join(sorted(challenge.excluded)) or 'none'}).",
        ) from error


def judge(challenge: Challenge, fitted: Any, baseline_metrics: dict[str, Any] | None) -> Judged:
    """Evaluate a fitted model on the holdout; its grade is against `baseline_metrics` (None: it is the baseline)."""
    evaluate = challenge.spec.module("evaluate")
    rules = challenge.company.promotion
    metrics = evaluate.evaluate(fitted, challenge.data.holdout, min_slice_rows=rules.min_slice_rows, **challenge.known)
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
    serves = {"challenger": challenge.method, "baseline": BASELINE_METHOD}.get(decision.serve)
    promoted = versions[serves].version if serves else None
    model_versions.record(rows, promoted, challenge.as_of, "; ".join(decision.reasons))
    return versions


def _register_one(
    challenge: Challenge, method: str, judged: Judged, parameters: dict[str, Any], files: dict[str, bytes]
) -> Registered:
    data = challenge.data
    predict = challenge.spec.module("predict")
    example = predict.example() if hasattr(predict, "example") else made_up_rows(data.training, judged.fitted.features)
    with tempfile.TemporaryDirectory(prefix="crm-agents-fitted-") as scratch:
        folder = Path(scratch) / "fitted"
        judged.fitted.save(folder)
        return registry.register(
            Registration(
                model=challenge.spec.name,
                method=method,
                folder=folder,
                parameters=judged.fitted.facts if method == BASELINE_METHOD else parameters,
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
                output_example=predict.predict(judged.fitted, example),
                files=files,
            )
        )
