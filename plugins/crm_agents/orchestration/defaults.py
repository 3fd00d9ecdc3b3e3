"""Settings that every DAG shares."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable

TAGS = ("ingest", "marts", "models", "agent", "customers", "sales", "upkeep")
OWNERS = ("data-engineering", "machine-learning", "customer-agents")


def at_times(cron: str) -> CronTriggerTimetable:
    """Return the timetable of a cron expression (UTC).

    A new installation waits for the next such time: without `run_immediately`, or with a start_date, every DAG would first
    run for the time that has just gone by, before there is anything to work on.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))


def dag_settings(*, owner: str, tags: tuple[str, ...], retries: int = 1) -> dict[str, Any]:
    """Return the arguments of a DAG: one run at a time, no catch-up, a retry after ten seconds, no start_date.

    Parameters
    ----------
    owner : str
        One of `OWNERS`.
    tags : tuple of str
        Some of `TAGS`.
    retries : int
        Tasks are transactions, so a retry is always safe.
    """
    return {
        "catchup": False,
        "max_active_runs": 1,
        "tags": list(tags),
        "default_args": {"owner": owner, "retries": retries, "retry_delay": timedelta(seconds=10)},
    }
