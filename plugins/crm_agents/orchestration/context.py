"""Which run, which day: the only place where a task learns what "today" is."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from airflow.sdk import Asset, Param, get_current_context

from crm_agents import marts
from crm_agents.agents.frame import AgentRun, run_id_of
from crm_agents.company import Company, loaded_company

AS_OF = Param(
    None,
    type=["null", "string"],
    format="date",
    title="As of",
    description="The day to work for (UTC, all of that day included). Empty: the company's today.",
)


BACKFILL = "backfill"


def current_run() -> AgentRun:
    """Return the run of the calling task.

    Its as_of is, in this order: the parameter, the day of a backfill, the day that the triggering asset events carry, the
    company's own today. Never the data interval: asset-triggered runs have none.
    """
    context = get_current_context()
    dag_run = context["dag_run"]
    return _run(dag_run, _as_of(context))


def run_at(as_of: str) -> AgentRun:
    """Return the run of the calling task for a day that an earlier task of the same run has found."""
    return _run(get_current_context()["dag_run"], date.fromisoformat(as_of))


def this_run_id() -> str:
    """Return the id of the run of the calling task."""
    dag_run = get_current_context()["dag_run"]
    return run_id_of(dag_run.dag_id, dag_run.run_id)


def event_extra(key: str) -> Any:
    """Return `key` of the newest triggering asset event that carries it, or None."""
    events = [
        event for batch in (get_current_context().get("triggering_asset_events") or {}).values() for event in batch
    ]
    for event in sorted(events, key=lambda event: event.timestamp, reverse=True):
        if key in (event.extra or {}):
            return event.extra[key]
    return None


def event_extras(asset: Asset, key: str) -> list[Any]:
    """Return `key` of every triggering event of `asset` that carries it: several may have waited for this run."""
    events = (get_current_context().get("triggering_asset_events") or {}).get(asset, [])
    return [event.extra[key] for event in events if key in (event.extra or {})]


def stand_back() -> None:
    """Let tasks on the way to a score have the processor first; for tasks beside that way."""
    os.nice(15)


def _run(dag_run: Any, as_of: date) -> AgentRun:
    return AgentRun(
        run_id_of(dag_run.dag_id, dag_run.run_id), dag_run.dag_id, as_of, is_backfill=dag_run.run_type == BACKFILL
    )


def _as_of(context: Any) -> date:
    dag_run = context["dag_run"]
    if context["params"].get("as_of"):
        return date.fromisoformat(context["params"]["as_of"])
    if dag_run.run_type == BACKFILL:
        return dag_run.logical_date.date()
    carried = event_extra("as_of")
    if carried:
        return date.fromisoformat(carried)
    return company_today(loaded_company(), dag_run.run_after.date())


def company_today(company: Company, wall_day: date) -> date:
    """Return the company's today: `wall_day`, or for a historical company the day of its newest data."""
    from crm_agents import lake

    if company.clock == "wall":
        return wall_day
    with lake.connect() as connection:
        return marts.company_as_of(connection, company)
