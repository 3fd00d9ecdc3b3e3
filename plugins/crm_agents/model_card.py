"""The model card: one page that says what a version is for, how good it is, on what, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_agents.model_catalog import ModelSpec
    from crm_agents.training_data import TrainingData

METRICS = {
    "brier": "Brier score (less is better)",
    "auc": "AUC",
    "log_loss": "Log loss (less is better)",
    "expected_calibration_error": "Expected calibration error (less is better)",
    "calibration_slope": "Calibration slope (1 is perfect)",
    "calibration_intercept": "Calibration intercept (0 is perfect)",
    "lift_top_10_percent": "Lift among the top 10 %",
}


def write_card(
    spec: ModelSpec,
    *,
    as_of: date,
    horizon_days: int,
    grade: str,
    method: str,
    baseline_method: str,
    features: Sequence[str],
    excluded: Sequence[str],
    data: TrainingData,
    metrics: Mapping[str, Any],
    baseline_metrics: Mapping[str, Any],
) -> str:
    """Return the card in Markdown."""
    found = data.statistics
    rows = found.positives + found.negatives
    days = ", ".join(day.isoformat() for day in sorted(data.cutoffs.train))
    return "\n".join(
        [
            f"# {spec.name}, trained as of {as_of}: grade {grade}",
            "",
            f"**Predicts** {_lower(spec.title)} of {horizon_days} days. Unit: {spec.unit}; calibrated.",
            f"**For** {spec.entities_are}; nobody else is scored.",
            f"**Method** {method}. **Baseline** {baseline_method}.",
            "",
            "## How good it is",
            f"On the holdout, {data.cutoffs.test}, which lies after all training data in time: {metrics['n']:,} rows, "
            f"{metrics['base_rate']:.1%} {spec.positive_is}. This training run chose nothing on it.",
            "",
            *_metric_table(metrics, baseline_metrics),
            "",
            "![Calibration](calibration.png) ![Lift](lift.png)",
            "",
            "### By slice",
            *_slice_table(metrics),
            "",
            "## What it was trained on",
            f"- lake snapshot {data.snapshot}; cut-offs {days}",
            f"- {rows:,} rows, {found.positives / max(rows, 1):.1%} {spec.positive_is}",
            f"- {len(features)} features: {', '.join(features)}",
            f"- left out as likely leaks: {', '.join(excluded) or 'none'}",
            "- no names, addresses or other personal data; country, region and the like are for judging only",
            "",
            "## Limits",
            "- It says who is likely to buy, not whom a contact would persuade.",
            "- It has seen the seasons of its training cut-offs only; a level that moves with the season moves its errors.",
            "- Its probabilities hold for the horizon above and no other.",
            "",
        ]
    )


def _metric_table(metrics: Mapping[str, Any], baseline_metrics: Mapping[str, Any]) -> list[str]:
    lines = ["| metric | model | baseline |", "|---|---|---|"]
    return lines + [
        f"| {title} | {_number(metrics.get(name))} | {_number(baseline_metrics.get(name))} |"
        for name, title in METRICS.items()
    ]


def _slice_table(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics.get("slices"):
        return ["No slice is large enough to be judged by itself."]
    lines = ["| slice | rows | AUC | Brier score |", "|---|---|---|---|"]
    return lines + [
        f"| {name} | {part['n']:,} | {_number(part['auc'])} | {_number(part['brier'])} |"
        for name, part in metrics["slices"].items()
    ]


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
