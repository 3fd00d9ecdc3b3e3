"""Which day a company's today is, and at which days a model may learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    import duckdb

# When a row of a table happened. Planned dates (promised, expected, due) never count, nor does updated_at.
EVENT_COLUMNS = {
    "customers": ("created_at",),
    "consents": ("captured_at",),
    "orders": ("ordered_at",),
    "payments": ("paid_at",),
    "interactions": ("occurred_at",),
    "tickets": ("opened_at", "first_response_at", "closed_at"),
    "feedback": ("given_at",),
    "leads": ("created_at", "converted_at"),
    "opportunities": ("created_at", "closed_at"),
    "opportunity_stages": ("entered_at",),
    "activities": ("done_at",),
    "campaign_members": ("sent_at", "opened_at", "clicked_at", "converted_at"),
    "loyalty_transactions": ("occurred_at",),
}
LabelWindow = tuple[date, int]  # cut-off, and the days after it in which the outcome counts
CUTOFF_SPACING_DAYS = 30
MIN_HISTORY_DAYS = 90


@dataclass(frozen=True)
class TrainingCutoffs:
    """Days at which features are cut for a model: `train` (newest first) to learn, `test` to judge out of time.

    Their label windows are `horizon_days` long.
    """

    test: date
    train: tuple[date, ...]
    horizon_days: int

    @property
    def all(self) -> tuple[date, ...]:
        """Test and training cut-offs, newest first."""
        return (self.test, *self.train)

    @property
    def windows(self) -> tuple[LabelWindow, ...]:
        """The label windows to be built; none where there is nothing to learn from."""
        return tuple((day, self.horizon_days) for day in self.all) if self.train else ()


def training_cutoffs(
    company: Company, as_of: date, first_order_on: date | None, horizon_days: int | None = None
) -> TrainingCutoffs:
    """Return the cut-offs whose label windows were closed on `as_of`.

    The test window ends with `as_of`. A training window ends before the test window begins, so that nothing of what
    is predicted in the test has been seen in training.

    Parameters
    ----------
    first_order_on : date or None
        Beginning of the history: a training cut-off needs 90 days of it. Where none has that much, every cut-off after
        the first order is taken; where there is none, `train` is empty and the caller has too little to learn from.
    horizon_days : int, optional
        Length of the label windows, by default that of ``prediction``.
    """
    horizon = horizon_days or company.prediction.horizon_days
    test = as_of - timedelta(days=horizon)
    first_step = math.ceil(horizon / CUTOFF_SPACING_DAYS)
    steps = range(first_step, first_step + company.prediction.cutoffs)
    candidates = [test - timedelta(days=step * CUTOFF_SPACING_DAYS) for step in steps]
    history = {day: (day - first_order_on).days if first_order_on else 0 for day in candidates}
    long_enough = tuple(day for day in candidates if history[day] >= MIN_HISTORY_DAYS)
    return TrainingCutoffs(test, long_enough or tuple(day for day in candidates if history[day] > 0), horizon)


def company_as_of(
    connection: duckdb.DuckDBPyConnection, company: Company, *, wall_day: date | None = None, schema: str = "lake.raw"
) -> date:
    """Return the company's today.

    Parameters
    ----------
    connection
        DuckDB with `schema` attached.
    wall_day : date, optional
        The day of the run; the answer for a company whose clock is ``wall``.
    schema : str
        Where the CRM's tables are read: ``lake.raw``, or ``crm_db.crm`` before the first ingest.

    Raises
    ------
    CrmAgentsError
        When a historical company has no dated row to take the day from.
    """
    if company.as_of:
        return company.as_of
    if company.clock == "wall":
        if wall_day is None:
            raise CrmAgentsError(f"{company.title} lives by the calendar (clock: wall).", "Give the day of the run.")
        return wall_day
    table = company.as_of_from or "orders"
    newest = _newest_event(connection, table, schema)
    if newest is None:
        raise CrmAgentsError(
            f"{company.title} has no today: its clock is its data, and no row of {table} has a date.",
            "Set `as_of`, or `as_of_from` (the table whose newest event is today), in company.yml.",
        )
    return newest


def _newest_event(connection: duckdb.DuckDBPyConnection, table: str, schema: str) -> date | None:
    import duckdb

    if table not in EVENT_COLUMNS:
        raise CrmAgentsError(
            f"as_of_from in company.yml names {table!r}, which has no events.", f"Choose of {', '.join(EVENT_COLUMNS)}."
        )
    newest = ", ".join(f"max({column})" for column in EVENT_COLUMNS[table])
    present = "where not _deleted" if schema == "lake.raw" else ""
    query = f"select cast(timezone('UTC', greatest({newest})) as date) from {schema}.{table} {present}"
    try:
        row = connection.execute(query).fetchone()
    except duckdb.CatalogException as error:
        raise CrmAgentsError(
            f"{schema}.{table} is not there yet.", "`crm-agents run ingest_crm` fills the lake."
        ) from error
    return row[0] if row else None
