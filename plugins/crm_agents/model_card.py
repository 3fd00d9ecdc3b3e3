"""The model card: one page that says what a version is for, how good it is, on what, and where it fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from crm_agents.challenge import Judged
    from crm_agents.model_catalog import ModelSpec
    from crm_agents.training_data import TrainingData

CARD = "model_card.md"
EXAMPLE_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
METRICS = {
    "brier": "Brier score (less is better)",
    "auc": "AUC",
    "log_loss": "Log loss (less is better)",
    "expected_calibration_error": "Expected calibration error (less is better)",
    "calibration_slope": "Calibration slope (1 is perfect)",
    "calibration_intercept": "Calibration intercept (0 is perfect)",
    "lift_top_10_percent": "Lift among the top 10 %",
    "rmse": "Root mean squared error (less is better)",
    "total_bias": "Bias of the total (0 is perfect)",
    "top_20_caught": "Share caught of the customers who brought most (top 20 %)",
}


def card_and_charts(
    spec: ModelSpec,
    data: TrainingData,
    *,
    model: Judged,
    baseline: Judged,
    as_of: date,
    horizon_days: int,
    excluded: Collection[str],
    because: str,
) -> dict[str, bytes]:
    """Return the files beside a version: the card, and charts (the model's own ``evaluate.charts``, or of probabilities)."""
    evaluate = spec.module("evaluate")
    draw = getattr(evaluate, "charts", None) or _probability_charts(evaluate)
    known = {} if spec.learns_from == "features" else {"cutoff": data.cutoffs.test}
    charts = draw(model.fitted, baseline.fitted, data.holdout, **known)
    card = write_card(
        spec,
        as_of=as_of,
        horizon_days=horizon_days,
        grade=model.grade,
        method=model.fitted.facts["method"],
        baseline_method=baseline.fitted.facts["method"],
        features=model.fitted.features,
        excluded=sorted(excluded),
        data=data,
        metrics=model.metrics,
        baseline_metrics=baseline.metrics,
        charts=sorted(charts),
        because=because,
    )
    return {CARD: card.encode(), **charts}


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
    charts: Sequence[str] = (),
    because: str = "",
) -> str:
    """Return the card in Markdown.

    Parameters
    ----------
    charts : sequence of str
        File names of the pictures beside the card.
    because : str
        Why this kind of model was trained (the rung of the minimum-data ladder).
    """
    found = data.statistics
    rows = found.positives + found.negatives
    days = ", ".join(day.isoformat() for day in sorted(data.cutoffs.train))
    return "\n".join(
        [
            f"# {spec.name}, trained as of {as_of}: grade {grade}",
            "",
            f"**Predicts** {_lower(spec.title)} of {horizon_days} days. Unit: {spec.unit}"
            + ("; calibrated." if "expected_calibration_error" in metrics else "."),
            f"**For** {spec.entities_are}; nobody else is scored.",
            f"**Method** {method}. **Baseline** {baseline_method}.",
            *([f"**Why this method** {because}"] if because else []),
            "",
            "## How good it is",
            f"On the holdout, {data.cutoffs.test}, which lies after all training data in time: {metrics['n']:,} rows, "
            f"{found.holdout_positives:,} {spec.positive_is}. This training run chose nothing on it.",
            "",
            *_metric_table(metrics, baseline_metrics),
            "",
            " ".join(f"![{name.partition('.')[0]}]({name})" for name in charts),
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
            "- It says what is likely, not what a contact would change.",
            "- It has seen the seasons of its training cut-offs only; a level that moves with the season moves its errors.",
            "- It holds for the horizon above and no other.",
            "",
        ]
    )


def _metric_table(metrics: Mapping[str, Any], baseline_metrics: Mapping[str, Any]) -> list[str]:
    """Return the table of all numbers that the model's evaluation gave: those with a title first."""
    others = [name for name, value in metrics.items() if isinstance(value, float) and name not in METRICS]
    names = {name: title for name, title in METRICS.items() if name in metrics}
    names |= {name: name.replace("_", " ") for name in others}
    lines = ["| metric | model | baseline |", "|---|---|---|"]
    return lines + [
        f"| {title} | {_number(metrics.get(name))} | {_number(baseline_metrics.get(name))} |"
        for name, title in names.items()
    ]


def _slice_table(metrics: Mapping[str, Any]) -> list[str]:
    if not metrics.get("slices"):
        return ["No slice is large enough to be judged by itself."]
    kinds = [name for name in next(iter(metrics["slices"].values())) if name != "n"]
    lines = [
        f"| slice | rows | {' | '.join(METRICS.get(kind, kind) for kind in kinds)} |",
        "|---" * (2 + len(kinds)) + "|",
    ]
    return lines + [
        f"| {name} | {part['n']:,} | {' | '.join(_number(part[kind]) for kind in kinds)} |"
        for name, part in metrics["slices"].items()
    ]


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _probability_charts(evaluate: ModuleType) -> Callable[[Any, Any, pd.DataFrame], dict[str, bytes]]:
    def draw(model: Any, baseline: Any, holdout: pd.DataFrame) -> dict[str, bytes]:
        from models_ml.core import charts

        probability, label = evaluate.predictions(model, holdout)
        of_baseline, _ = evaluate.predictions(baseline, holdout)
        return {
            "calibration.png": charts.calibration_chart(probability, of_baseline, label),
            "lift.png": charts.lift_chart(probability, of_baseline, label),
        }

    return draw


def made_up_rows(rows: pd.DataFrame, features: tuple[str, ...]) -> pd.DataFrame:
    """Return a few typical rows, each column at one of its quantiles or most frequent values: no row is a customer's."""
    import pandas as pd

    made = {}
    for name in features:
        if pd.api.types.is_numeric_dtype(rows[name]):
            made[name] = rows[name].astype("float64").quantile(list(EXAMPLE_QUANTILES)).to_numpy()
        else:
            made[name] = rows[name].value_counts().index[:1].repeat(len(EXAMPLE_QUANTILES)).to_numpy(dtype=object)
    return pd.DataFrame(made)
