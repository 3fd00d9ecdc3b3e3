"""Settings that every DAG shares."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2010, 1, 1, tzinfo=UTC)
TAGS = ("ingest", "marts", "models", "agent", "customers", "sales", "upkeep")
OWNERS = ("data-engineering", "machine-learning", "customer-agents")


def dag_settings(*, owner: str, tags: tuple[str, ...], retries: int = 1) -> dict[str, Any]:
    """Return the arguments of a DAG: one run at a time, no catch-up, a retry after ten seconds.

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
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
        "tags": list(tags),
        "default_args": {"owner": owner, "retries": retries, "retry_delay": timedelta(seconds=10)},
    }
