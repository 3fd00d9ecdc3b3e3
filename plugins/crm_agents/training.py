"""Train a model, judge it beside its baseline and the present champion, register it, and let the gate decide.

Everything that is read comes from one snapshot of the lake, so the same snapshot gives the same model and the same metrics.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from crm_agents import challenge, horizons, marts, model_versions, registry, training_data, usability
from crm_agents.challenge import Challenge, Outcome
from crm_agents.company import Company, loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_catalog import MODELS, ModelSpec, find_model
from crm_agents.training_data import TrainingData

__all__ = ["MODELS", "Due", "ModelSpec", "TrainingResult", "is_due", "prepare", "train", "unbuilt", "which_are_due"]

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
        names = ("n", "base_rate", "auc", "brier", "expected_calibration_error", "rmse", "total_bias", "top_20_caught")
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


def is_due(model: str, as_of: date, company: Company | None = None) -> tuple[bool, str]:
    """Tell whether `model` should be trained on `as_of`, and why (not).

    It is due when nobody serves, when the champion's files cannot be used, after `prediction.retrain_after_days`, and when
    outcomes have grown by `prediction.retrain_after_new_labels` since the last training.

    Raises
    ------
    CrmAgentsError
        When the marts with its outcomes have not been built.
    """
    spec = find_model(model)
    serving = registry.champion(spec.name, as_of)
    if serving is None:
        return True, f"{model} has no champion as of {as_of}."
    settings = (company or loaded_company()).prediction
    newest = model_versions.newest_before(spec.name, as_of)
    trained_on = newest.trained_as_of if newest else None
    if trained_on is None:
        return True, f"{model} has no version with a training day up to {as_of}."
    try:
        registry.load(serving)
    except CrmAgentsError as error:
        return True, error.what
    age = (as_of - trained_on).days
    if age >= settings.retrain_after_days:
        return True, f"{model} was last trained {age} days ago (limit: {settings.retrain_after_days})."
    counted = training_data.outcomes_since(spec, trained_on, as_of) if age else None
    if counted and counted[0] >= settings.retrain_after_new_labels * max(counted[1], 1):
        return (
            True,
            f"{model} was trained on {trained_on}: {counted[0]:,} outcomes came since, {counted[1]:,} were known.",
        )
    return False, f"{model} was last trained {age} days ago; version {serving.version} serves."


@dataclass(frozen=True)
class Due:
    """Whether a registered model is to be trained, and why (not)."""

    model: str
    is_due: bool
    reason: str


def which_are_due(as_of: date, *, alarmed: Collection[str] = (), company: Company | None = None) -> list[Due]:
    """Return of every registered model whether it is to be trained on `as_of`.

    A model of which it cannot be told counts as due: its own training fails then, with the reason, and the others go on.

    Parameters
    ----------
    alarmed : collection of str
        Models that an alarm (drift, for example) is about: they are due whatever their age.
    """
    found = []
    for spec in MODELS:
        if spec.name in alarmed:
            found.append(Due(spec.name, True, f"An alarm asks for a new {spec.name}."))
            continue
        try:
            found.append(Due(spec.name, *is_due(spec.name, as_of, company)))
        except CrmAgentsError as error:
            found.append(Due(spec.name, True, f"It cannot be told whether {spec.name} is due: {error}"))
    return found


def prepare(
    *, as_of: date, run_id: str, company: Company | None = None, raise_on_failure: bool = True
) -> marts.BuildResult:
    """Build features at every cut-off that training on `as_of` needs, and the labels of those whose window has closed.

    What is built already is only brought up to date.

    Parameters
    ----------
    raise_on_failure : bool
        Or leave a model of dbt that fails to `unbuilt`: training stops for those that read it, and for no others.

    Raises
    ------
    CrmAgentsError
        When the marts have not been built yet, or (with `raise_on_failure`) a model of dbt fails.
    """
    company = company or loaded_company()
    first_on = training_data.first_purchase_on(as_of)
    asked = {horizons.horizon_days(spec, company, as_of) for spec in MODELS if spec.learns_from == "features"}
    days = [training_data.cutoffs(company, as_of, first_on, horizon_days) for horizon_days in sorted(asked)]
    return marts.build(
        as_of=as_of,
        run_id=run_id,
        cutoffs=[as_of, *(day for each in days for day in each.all)],
        label_windows=[window for each in days for window in each.windows],
        company=company,
        raise_on_failure=raise_on_failure,
    )


def unbuilt(model: str, built: marts.BuildResult) -> str | None:
    """Return why the rows that `model` learns from are not up to date, None when they are."""
    spec = find_model(model)
    tables = {spec.features_table, spec.labels_table}
    if not any(node.table in tables and (node.failed or node.status == "skipped") for node in built.nodes):
        return None
    causes = "; ".join(f"{node.name}: {node.message or node.status}" for node in built.failed)
    return f"{' and '.join(sorted(tables))} could not be brought up to date ({causes})."


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
    data, repeated = training_data.without_repeats(spec, training_data.read(spec, company, as_of))
    ladder = usability.climb(data.statistics, company.minimum_data, spec, horizon_days=data.cutoffs.horizon_days)
    findings = [*ladder.findings, usability.repeated_rows_finding(repeated, spec.features_table)]
    if ladder.outcome == "not_scored":
        usability.write(run_id, spec.name, as_of, findings)
        return TrainingResult(
            model, "not_scored", ladder.reason, snapshot=data.snapshot, seconds=time.monotonic() - started, is_news=True
        )
    excluded, leakage = challenge.screen_for_leaks(spec, data, company)
    findings += leakage
    usability.write(run_id, spec.name, as_of, findings)
    key = training_data.training_key(spec, data, company, as_of, ladder.outcome, excluded)
    known = model_versions.trained_with(spec.name, key)
    if known is not None:
        return _unchanged(known, as_of, time.monotonic() - started)
    because = "" if ladder.outcome == "own_model" else ladder.reason
    outcome = challenge.run(Challenge(spec, company, as_of, data, excluded, key, ladder.outcome, because))
    if outcome.champion_problem:
        usability.write(run_id, spec.name, as_of, [*findings, outcome.champion_problem])
    return _trained(spec, outcome, data, because, time.monotonic() - started)


def _trained(spec: ModelSpec, outcome: Outcome, data: TrainingData, because: str, seconds: float) -> TrainingResult:
    statuses: dict[str, Status] = {
        "challenger": "promoted",
        "champion": "kept_champion",
        "baseline": "serves_baseline",
    }
    return TrainingResult(
        spec.name,
        statuses[outcome.decision.serve],
        " ".join(filter(None, ("; ".join(outcome.decision.reasons) + ".", because))),
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
