"""How good every model of customers is on a company's own data, against the rule of thumb that it replaces.

    .venv/bin/python benchmarks/customer_models.py online_retail --data DIR [--data DIR] [--report docs/results.md]

Loads the company into an installation of its own (gone afterwards), builds the lake, trains each registered model through the
data check and the gate as `train_models` does, and groups the customers into segments as `customer_segment_agent` does. The
holdout is the last window before the company's today.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporary_home import temporary_installation

from crm_agents.results import replace_section

if TYPE_CHECKING:
    from crm_agents.training import TrainingResult


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("company")
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    with temporary_installation("customer-models"):
        text = measure(arguments.company, arguments.data)
    print(text)
    if arguments.report:
        replace_section(arguments.report, f"customer-models-{arguments.company}".replace("_", "-"), text)


def measure(name: str, data: list[Path]) -> str:
    """Return the section of one company, in Markdown."""
    from crm_agents import ingest, lake, marts, training
    from crm_agents.company import loaded_company
    from crm_agents.loading import load
    from crm_agents.model_catalog import MODELS

    load(name, data)
    ingest.run(run_id="customer-models")
    company = loaded_company()
    with lake.connect() as connection:
        as_of = marts.company_as_of(connection, company)
    marts.build(as_of=as_of, run_id="customer-models")
    training.prepare(as_of=as_of, run_id="customer-models")
    models = [spec for spec in MODELS if spec.entity_type == "customer"]
    results = [training.train(spec.name, as_of=as_of, run_id="customer-models") for spec in models]
    return "\n".join(
        [
            f"## Models of customers on {name}",
            "",
            f"As of {as_of}; every model is judged on the last window before that day, having learnt from earlier ones only. "
            "Error: Brier score of probabilities, root mean squared error of amounts, 1 - NDCG of rankings. Grade A: at least "
            "5 % less error than the baseline, B: less, C: more; of amounts: by the share caught of the 20 % of customers who "
            "brought most. Written by `benchmarks/customer_models.py`.",
            "",
            "| model | customers | share or mean | baseline | its error | error | better by | AUC; caught | grade | serves |",
            "|---|---:|---:|---|---:|---:|---:|---:|---|---|",
            *(_row(result) for result in results),
            "",
            _segments(as_of),
        ]
    )


def _row(result: TrainingResult) -> str:
    from crm_agents import registry
    from crm_agents.model_catalog import find_model

    if not result.metrics:
        return f"| {result.model} | | | | | | | | | nobody: {result.reason} |"
    config = find_model(result.model).module("config")
    metrics, baseline = result.metrics, result.baseline_metrics
    error, of_baseline = metrics[config.PRIMARY_METRIC], baseline[config.PRIMARY_METRIC]
    baselines = [version for version in registry.versions(result.model) if version.method == "baseline"]
    rule = registry.load(baselines[0]).fitted.facts["method"]
    serves = {"promoted": "the model", "serves_baseline": "the baseline"}.get(result.status, result.status)
    level = metrics.get("base_rate", metrics.get("mean"))
    return (
        f"| {result.model} | {metrics['n']:,} | {'' if level is None else f'{level:.3f}'} | {rule} | {of_baseline:.4f} "
        f"| {error:.4f} | {1 - error / of_baseline:.1%} | {_found(metrics, baseline)} | {result.grade} | {serves} |"
    )


def _found(metrics: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """Return how well a model finds whom it is asked for, of probabilities and of amounts."""
    if metrics.get("top_20_caught") is not None:
        bias = f"; bias of the total {metrics['total_bias']:+.1%} ({baseline['total_bias']:+.1%})"
        return f"{metrics['top_20_caught']:.1%} ({baseline['top_20_caught']:.1%}){bias}"
    return f"{metrics['auc']:.3f}" if metrics.get("auc") is not None else ""


def _segments(as_of: date) -> str:
    from crm_agents import lake
    from models_ml.segments import profiles, segmentation

    with lake.connect() as connection:
        frame: Any = connection.execute(
            "select * from features.ftr_customers where as_of = ? and has_purchased order by customer_id", [as_of]
        ).df()
    fitted = segmentation.fit(frame)
    found = profiles.profiles(frame, frame[["customer_id"]].join(fitted.assign(frame)))
    groups = "; ".join(
        f"{row.segment_name} ({row.customers:,} customers, {row.revenue_share:.0%} of revenue)"
        for row in found.itertuples()
    )
    return f"Segments: {fitted.reason} They are: {groups}."


if __name__ == "__main__":
    main()
