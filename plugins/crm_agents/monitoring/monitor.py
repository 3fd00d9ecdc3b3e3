"""One day's monitoring: what became of scores and decisions, what has drifted, what is an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_agents import horizons, lake, registry
from crm_agents.company import Company
from crm_agents.model_catalog import MODELS, ModelSpec
from crm_agents.monitoring import alarms, arrivals, decision_outcomes, inputs, labels, lift, performance
from crm_agents.monitoring.alarms import Alarm
from crm_agents.monitoring.limits import Measurement, judge
from crm_agents.monitoring.outcomes import Question

if TYPE_CHECKING:
    import duckdb

    from crm_agents.monitoring.watch_list import Watched


@dataclass(frozen=True)
class Joined:
    """Rows of realised performance that were written."""

    model_months: int
    decision_months: int
    lifts: int


def whole_day(as_of: date, company: Company) -> date:
    """Return the newest day up to `as_of` that is over: by the wall clock, today is not."""
    return as_of - timedelta(days=1) if company.clock == "wall" else as_of


def join_outcomes(*, as_of: date, run_id: str, company: Company) -> Joined:
    """Join what happened to the scores and decisions that are due by `as_of`."""
    return Joined(
        performance.evaluate(as_of=as_of, run_id=run_id, company=company),
        decision_outcomes.evaluate(as_of=as_of, run_id=run_id),
        lift.evaluate(as_of=as_of, run_id=run_id),
    )


def watch(*, as_of: date, run_id: str, company: Company, models: Sequence[ModelSpec] = MODELS) -> list[Alarm]:
    """Measure what has drifted by the end of `as_of`, write it down, and return the alarms that were opened."""
    with lake.connect(with_crm=True) as connection:
        arrivals.profile(connection, arrivals.first_needed(as_of, company.monitoring), as_of, present(connection))
        found = measure(connection, as_of=as_of, company=company, models=models)
    return alarms.record(
        judge(found, company.monitoring),
        as_of=as_of,
        run_id=run_id,
        models=[spec.name for spec in models],
        settings=company.monitoring,
    )


def measure(
    connection: duckdb.DuckDBPyConnection, *, as_of: date, company: Company, models: Sequence[ModelSpec] = MODELS
) -> list[Measurement]:
    """Return every measurement of `as_of`: arriving rows (their `profile` is there), inputs and labels of models that serve."""
    found = arrivals.measure(connection, as_of, company.monitoring)
    for spec in models:
        if spec.learns_from != "features" or registry.champion(spec.name, as_of) is None:
            continue
        found += inputs.measure(connection, spec, as_of, company)
        if spec.outcome is not None:
            question = Question(spec, spec.outcome, as_of, as_of, horizons.horizon_days(spec, company, as_of))
            found += labels.measure(connection, question, company)
    return found


def present(connection: duckdb.DuckDBPyConnection) -> list[Watched]:
    """Return the watched tables that the lake has."""
    from crm_agents.monitoring.watch_list import WATCHED

    tables = {
        row[0]
        for row in connection.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
    }
    return [table for table in WATCHED if table.subject in tables]
