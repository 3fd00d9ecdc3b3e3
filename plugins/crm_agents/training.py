"""Train a model, judge it beside its baseline and the present champion, register it, and let the gate decide.

Everything that is read comes from one snapshot of the lake, so the same snapshot gives the same model and the same metrics.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from crm_agents import challenge, marts, model_versions, registry, training_data, usability
from crm_agents.challenge import Challenge, Outcome
from crm_agents.company import Company, loaded_company
from crm_agents.model_catalog import MODELS, ModelSpec, find_model
from crm_agents.training_data import TrainingData

__all__ = ["MODELS", "ModelSpec", "TrainingResult", "is_due", "prepare", "train"]

Status = Literal["promoted", "kept_champion", "serves_baseline", "unchanged", "not_scored"]


@dataclass(frozen=True)
class TrainingResult:
    """What one training came to.

    Attributes
    ----------
    status : str
        promoted, kept_champion (a success), serves_baseline, unchanged (nothing new to learn from) or not_scored (too
        little data).
    serving : str or None
        Version that serves now.
    metrics, baseline_metrics : mapping
        On the holdout; empty when nothing was trained.
    """

    model: str
    status: Status
    reason: str
    version: str | None = None
    serving: str | None = None
    grade: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baseline_metrics: Mapping[str, Any] = field(default_factory=dict)
    snapshot: int | None = None
    seconds: float = 0.0
    is_news: bool = False

    def summary(self) -> dict[str, Any]:
        """Return what people and the next task read, as plain JSON."""
        names = ("n", "base_rate", "auc", "brier", "expected_calibration_error")
        return {
            "model": self.model,
            "status": self.status,
            "reason": self.reason,
            "version": self.version,
            "serving": self.serving,
            "grade": self.grade,
            "metrics": {name: self.metrics[name] for name in names if name in self.metrics},
            "baseline_metrics": {name: self.baseline_metrics[name] for name in names if name in self.baseline_metrics},
            "snapshot": self.snapshot,
            "seconds": round(self.seconds, 1),
            "is_news": self.is_news,
        }


@dataclass(frozen=True)
class Judged:
    """A fitted model with its metrics on the holdout."""

    fitted: Any
    metrics: dict[str, Any]
    grade: str


def is_due(model: str, as_of: date, company: Company | None = None) -> tuple[bool, str]:
    """Tell whether `model` should be trained on `as_of`, and why (not)."""
    spec = find_model(model)
    serving = registry.champion(spec.name, as_of)
    if serving is None:
        return True, f"{model} has no champion as of {as_of}."
    limit = (company or loaded_company()).prediction.retrain_after_days
    newest = model_versions.newest_before(spec.name, as_of)
    trained_on = newest.trained_as_of if newest else None
    age = (as_of - trained_on).days if trained_on else limit
    if age >= limit:
        return True, f"{model} was last trained {age} days ago (limit: {limit})."
    return False, f"{model} was last trained {age} days ago; version {serving.version} serves."


def prepare(*, as_of: date, run_id: str, company: Company | None = None) -> marts.BuildResult:
    """Build features at every cut-off that training on `as_of` needs, and the labels of those whose window has closed.

    What is built already is only brought up to date.

    Raises
    ------
    CrmAgentsError
        When the marts have not been built yet, or a model of dbt fails.
    """
    company = company or loaded_company()
    days = training_data.cutoffs(company, as_of, training_data.first_purchase_on(as_of))
    return marts.build(
        as_of=as_of,
        run_id=run_id,
        cutoffs=[as_of, *days.all],
        label_cutoffs=days.all if days.train else (),
        company=company,
    )


def train(model: str, *, as_of: date, run_id: str, company: Company | None = None) -> TrainingResult:
    """Train `model` for day `as_of`, from the data check to the gate.

    Findings about the data are written whether or not a model comes of them. The same data, day and settings are not
    trained twice.

    Raises
    ------
    CrmAgentsError
        When features are missing, or the registry cannot be written.
    """
    started = time.monotonic()
    spec, company = find_model(model), company or loaded_company()
    data = training_data.read(spec, company, as_of)
    ladder = usability.climb(
        data.statistics,
        company.minimum_data,
        horizon_days=company.prediction.horizon_days,
        table=spec.features_table,
        rule=spec.rule,
    )
    if ladder.outcome != "own_model":
        usability.write(run_id, spec.name, as_of, ladder.findings)
        return TrainingResult(
            model, "not_scored", ladder.reason, snapshot=data.snapshot, seconds=time.monotonic() - started, is_news=True
        )
    excluded, leakage = challenge.screen_for_leaks(spec, data)
    findings = [*ladder.findings, *leakage]
    usability.write(run_id, spec.name, as_of, findings)
    key = training_data.training_key(spec, data, company, as_of)
    known = model_versions.trained_with(spec.name, key)
    if known is not None:
        return _unchanged(known, as_of, time.monotonic() - started)
    outcome = challenge.run(Challenge(spec, company, as_of, data, excluded, key))
    if outcome.champion_problem:
        usability.write(run_id, spec.name, as_of, [*findings, outcome.champion_problem])
    return _trained(spec, outcome, data, time.monotonic() - started)


def _trained(spec: ModelSpec, outcome: Outcome, data: TrainingData, seconds: float) -> TrainingResult:
    statuses: dict[str, Status] = {
        "challenger": "promoted",
        "champion": "kept_champion",
        "baseline": "serves_baseline",
    }
    return TrainingResult(
        spec.name,
        statuses[outcome.decision.serve],
        "; ".join(outcome.decision.reasons) + ".",
        version=outcome.version,
        serving=outcome.serving,
        grade=outcome.challenger.grade,
        metrics=outcome.challenger.metrics,
        baseline_metrics=outcome.baseline.metrics,
        snapshot=data.snapshot,
        seconds=seconds,
        is_news=outcome.decision.serve != "champion",
    )


def _unchanged(known: registry.ModelVersion, as_of: date, seconds: float) -> TrainingResult:
    """Return what was decided when this very training was done before (a retry finishes what it could not)."""
    registry.sync_aliases(known.model)
    serving = registry.champion(known.model, as_of)
    return TrainingResult(
        known.model,
        "unchanged",
        f"Version {known.version} was trained on the same data, day and settings.",
        version=known.version,
        serving=serving.version if serving else None,
        grade=known.grade,
        metrics=known.metrics,
        baseline_metrics=known.baseline_metrics,
        snapshot=known.training_snapshot,
        seconds=seconds,
        is_news=serving is not None and serving.trained_as_of == as_of,
    )
