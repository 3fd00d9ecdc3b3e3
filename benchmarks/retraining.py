"""A whole retraining of every registered model: seconds, peak memory, and how far each part lies above its floor.

    .venv/bin/python benchmarks/retraining.py
    .venv/bin/python benchmarks/retraining.py --customers 1000000

Starts PostgreSQL and MLflow when they are down (Airflow must be), and loads and scores a simulated company of --customers when
another one (or none) is there. Then it retrains for the day before the company's last: none of the cut-offs of that day has been
built, so features and labels of all of them come first, as at each scheduled retraining. The versions stay in the registry; as
their day is an earlier one, they do not serve. The floor of a training is one fit of XGBoost and one prediction on the same rows.
"""

from __future__ import annotations

import argparse
import importlib
from datetime import date, timedelta
from typing import Any

from pipeline import prepare, start
from processes import Measured, apart, timed
from rich.console import Console
from rich.table import Table

from crm_agents.stack.warm import LIBRARIES

console = Console(width=150)
RUN = "benchmark-retraining"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument(
        "--days-back", type=int, default=1, help="days before the company's last: which day to train for"
    )
    arguments = parser.parse_args()
    start()
    for name in LIBRARIES:
        importlib.import_module(name)
    apart(lambda: prepare(arguments.customers))
    as_of = date.fromisoformat(apart(_last_day).result) - timedelta(days=arguments.days_back)

    table = Table("part", "seconds", "floor seconds", "ratio", "peak GB", "result", box=None)
    console.print(f"features and labels as of {as_of} ...", style="dim")
    parts = [apart(lambda: _prepare(as_of))]
    _add(table, "features and labels at every cut-off", parts[0])
    for model in apart(_models).result:
        console.print(f"{model} ...", style="dim")
        parts.append(apart(lambda model=model: _train(model, as_of)))
        _add(table, model, parts[-1], apart(lambda model=model: _bare_fit(model, as_of)))
    _add(table, "together", Measured(sum(it.seconds for it in parts), max(it.peak_gb for it in parts), ""))
    console.print(table)


def _add(table: Table, name: str, ours: Measured, floor: Measured | None = None) -> None:
    beside = (f"{floor.seconds:.1f}", f"{ours.seconds / floor.seconds:.1f}") if floor else ("", "")
    table.add_row(name, f"{ours.seconds:.1f}", *beside, f"{ours.peak_gb:.1f}", str(ours.result))


def _last_day() -> str:
    from crm_agents import lake, marts
    from crm_agents.company import loaded_company

    with lake.connect() as connection:
        return marts.company_as_of(connection, loaded_company()).isoformat()


def _models() -> list[str]:
    from crm_agents.model_catalog import MODELS

    return [spec.name for spec in MODELS]


def _prepare(as_of: date) -> tuple[float, str]:
    from crm_agents import training

    seconds, built = timed(lambda: training.prepare(as_of=as_of, run_id=RUN))
    return seconds, f"{len(built.nodes)} models of dbt"


def _train(model: str, as_of: date) -> tuple[float, str]:
    from crm_agents import training

    seconds, result = timed(lambda: training.train(model, as_of=as_of, run_id=RUN))
    return seconds, f"{result.status}, grade {result.grade}"


def _bare_fit(model: str, as_of: date) -> tuple[float, str]:
    from crm_agents import training_data
    from crm_agents.company import loaded_company
    from crm_agents.model_catalog import find_model
    from models_ml.core import trees

    spec = find_model(model)
    data = training_data.read(spec, loaded_company(), as_of)
    config = spec.module("config")
    features = [name for name in config.FEATURES if data.training[name].dtype.kind in "biuf"]
    training, holdout = (rows[features].to_numpy("float32") for rows in (data.training, data.holdout))
    label = data.training[config.LABEL].to_numpy("float32")

    def work() -> Any:
        return trees.margin(trees.fit(training, label, {}, seed=0, threads=2), holdout)

    seconds, _ = timed(work)
    return seconds, f"{len(training):,} rows"


if __name__ == "__main__":
    main()
