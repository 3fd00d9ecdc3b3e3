"""The one gate between a freshly trained model and the agents: a pure decision from metrics and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from crm_agents.company_settings import Promotion

BASELINE_METHOD, MODEL_METHOD = "baseline", "champion"
# What scores carry, by the rung of the minimum-data ladder on which their model was trained.
METHODS = {"own_model": MODEL_METHOD, "simpler_model": "simpler_model", "rule": "rule"}


@dataclass(frozen=True)
class Candidate:
    """A model version as the gate sees it.

    Parameters
    ----------
    name : str
        How it is called in sentences, for example ``"version 3"``.
    method : str
        One of `METHODS` for a model, ``"baseline"`` for the rule of thumb that it has to beat.
    metrics : mapping
        On the holdout: `primary_metric` (an error: less is better); of probabilities ``"expected_calibration_error"``; and
        under ``"slices"``, for each slice, its rows ``"n"`` and its ``"auc"`` or, without one, its `primary_metric`.
    grade : str
        A, B or C against the baseline on the same holdout.
    holdout : str
        What it was judged on; only candidates with the same holdout can be compared.
    trained_as_of : date
    has_card : bool
        Whether its model card was written.
    """

    name: str
    method: str
    metrics: Mapping[str, Any]
    grade: str
    holdout: str
    trained_as_of: date
    has_card: bool
    primary_metric: str = "brier"

    @property
    def error(self) -> float:
        """The primary metric."""
        return float(self.metrics[self.primary_metric])


@dataclass(frozen=True)
class Check:
    """One rule of the gate and what came of it."""

    name: str
    is_passed: bool
    detail: str


@dataclass(frozen=True)
class PromotionDecision:
    """Who serves from now on, and why."""

    promote: bool
    serve: Literal["champion", "challenger", "baseline"]
    reasons: list[str]
    checks: list[Check]


def decide(
    challenger: Candidate, champion: Candidate | None, baseline: Candidate, rules: Promotion, as_of: date
) -> PromotionDecision:
    """Decide whether the challenger becomes champion; if not, whether the champion stays or the baseline serves.

    Parameters
    ----------
    challenger, baseline : Candidate
        From the same training run.
    champion : Candidate or None
        Who serves now, judged anew on the challenger's holdout; None when nobody serves or its files cannot be used.
    as_of : date
        The day of the decision; the champion's age is counted to it.
    """
    checks = [
        _same_holdout(challenger, champion, baseline),
        _grade(challenger, rules),
        Check("model_card", challenger.has_card, "has a model card" if challenger.has_card else "has no model card"),
    ]
    if champion is not None:
        checks += [
            _champion_metric(challenger, champion, rules, as_of),
            _calibration(challenger, champion, rules),
            _slices(challenger, champion, rules),
        ]
    failed = [f"{challenger.name} {check.detail}" for check in checks if not check.is_passed]
    if not failed:
        return PromotionDecision(True, "challenger", [f"{challenger.name} {check.detail}" for check in checks], checks)
    if champion is None:
        return PromotionDecision(False, "baseline", [*failed, "nobody else serves, so the baseline does"], checks)
    why_not_champion = _why_not_champion(champion, baseline, rules, as_of)
    if why_not_champion:
        return PromotionDecision(False, "baseline", [*failed, why_not_champion], checks)
    return PromotionDecision(False, "champion", [*failed, f"{champion.name} stays champion"], checks)


def _same_holdout(challenger: Candidate, champion: Candidate | None, baseline: Candidate) -> Check:
    others = [candidate for candidate in (champion, baseline) if candidate and candidate.holdout != challenger.holdout]
    if others:
        return Check(
            "same_holdout", False, f"was judged on {challenger.holdout}, {others[0].name} on {others[0].holdout}"
        )
    return Check("same_holdout", True, f"was judged on {challenger.holdout}")


def _grade(challenger: Candidate, rules: Promotion) -> Check:
    is_passed = challenger.grade <= rules.min_grade
    detail = f"has grade {challenger.grade}" + ("" if is_passed else f", {rules.min_grade} is needed")
    return Check("grade", is_passed, detail)


def _champion_metric(challenger: Candidate, champion: Candidate, rules: Promotion, as_of: date) -> Check:
    """At least 95 % of the champion's quality: an error of at most the champion's / 0.95; a stale champion may lose."""
    metric, limit = challenger.primary_metric, champion.error / rules.min_share_of_champion
    compared = f"{metric} {challenger.error:.4f} against {champion.error:.4f} of {champion.name}"
    if challenger.error <= limit:
        return Check("champion_metric", True, f"has {compared}")
    age = (as_of - champion.trained_as_of).days
    if age > rules.max_champion_age_days:
        return Check("champion_metric", True, f"has {compared}, which is stale after {age} days")
    return Check("champion_metric", False, f"has {compared}; at most {limit:.4f} is allowed")


def _calibration(challenger: Candidate, champion: Candidate, rules: Promotion) -> Check:
    name = "expected_calibration_error"
    mine, theirs = challenger.metrics.get(name), champion.metrics.get(name)
    if mine is None or theirs is None:
        return Check("calibration", True, "predicts no probability, so there is no calibration to compare")
    is_passed = mine <= theirs + rules.max_calibration_loss
    detail = f"has a calibration error of {mine:.3f} against {theirs:.3f}"
    return Check(
        "calibration", is_passed, detail if is_passed else detail + f"; {rules.max_calibration_loss} more is allowed"
    )


def _slices(challenger: Candidate, champion: Candidate, rules: Promotion) -> Check:
    mine, theirs = challenger.metrics.get("slices", {}), champion.metrics.get("slices", {})
    worse = []
    for name in sorted(set(mine) & set(theirs)):
        if mine[name]["n"] >= rules.min_slice_rows:
            loss = _slice_loss(mine[name], theirs[name], challenger.primary_metric, rules)
            worse += [f"{name} ({loss})"] if loss else []
    if worse:
        return Check("slices", False, f"loses too much in {', '.join(worse)}")
    return Check("slices", True, "loses in no slice")


def _slice_loss(mine: Mapping[str, Any], theirs: Mapping[str, Any], metric: str, rules: Promotion) -> str | None:
    """Return by how much a slice is worse, when that is more than the rules allow."""
    ours, before = mine.get("auc"), theirs.get("auc")
    if ours is not None and before is not None:
        is_worse = ours < before - rules.max_slice_auc_loss
        return f"AUC {ours:.3f} against {before:.3f}" if is_worse else None
    ours, before = mine.get(metric), theirs.get(metric)
    if "auc" in mine or ours is None or before is None:
        return None  # one class only: there is nothing to rank
    return f"{metric} {ours:.4g} against {before:.4g}" if ours > before * (1 + rules.max_slice_error_rise) else None


def _why_not_champion(champion: Candidate, baseline: Candidate, rules: Promotion, as_of: date) -> str | None:
    """Return why the present champion should give way to today's baseline, or None when it should stay."""
    if champion.method != BASELINE_METHOD:
        if champion.grade > rules.min_grade:
            return f"{champion.name} has grade {champion.grade} by now, so the baseline serves"
        return None
    age = (as_of - champion.trained_as_of).days
    if age > rules.max_champion_age_days or baseline.error <= champion.error * rules.min_share_of_champion:
        return "the baseline that serves is out of date, so a fresh one does"
    return None
