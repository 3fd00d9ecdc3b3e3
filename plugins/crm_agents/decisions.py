"""The table ``crm_ai.decisions``: what an agent chose, when it is new, and what came of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.writeback import append, copy_csv, export_csv, scratch_folder

if TYPE_CHECKING:
    import duckdb

COLUMNS = (
    "decision_id, run_id, agent, entity_type, entity_id, options, chosen, arm, propensity, policy, confidence, reason, "
    "as_of, prior_decision_id, outcome_due_at"
)


def read_previous(
    connection: duckdb.DuckDBPyConnection,
    agent: str,
    entity_type: str,
    as_of: date,
    run_id: str,
    only: str = "true",
    before: datetime | None = None,
    choice: str = "",
) -> None:
    """Fill the temporary table ``previous`` with the last decision up to as_of.

    Its columns: entity_id, decision_id, chosen, outcome_due_at, and last_choice_on, the last day on which `choice` was decided.

    Decisions of `run_id` itself do not count (a retry sees what its first try saw), nor do those that were undone.

    Parameters
    ----------
    only : str
        SQL condition on ``entity_id`` in PostgreSQL: whose decisions are wanted.
    before : datetime, optional
        Look back to this moment: later decisions, and later undoing of earlier ones, do not count.
    choice : str, optional
        Of which choice the last day is wanted.
    """
    stands = "outcome is distinct from 'undone'"
    if before is not None:
        stands = f"created_at < '{before.isoformat()}' and ({stands} or outcome_at >= '{before.isoformat()}')"
    wanted = f"{stands} and {only}".replace("'", "''")
    connection.execute(
        f"""
        create or replace temp table previous as
        select * from postgres_query('crm_db', '
            select distinct on (entity_id) entity_id, decision_id, chosen, outcome_due_at,
                max(as_of) filter (where chosen = ''{choice}'') over (partition by entity_id) as last_choice_on
            from crm_ai.decisions
            where agent = ''{agent}'' and entity_type = ''{entity_type}'' and as_of <= date ''{as_of}''
              and run_id <> ''{run_id}'' and {wanted}
            order by entity_id, as_of desc, created_at desc
        ')
        """
    )


def add(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """Add the rows of `query` (columns `COLUMNS`); a retry adds none twice. Return the rows added."""
    return append(connection, "crm_ai.decisions", COLUMNS, query, on_conflict="do nothing")


def read_due(connection: duckdb.DuckDBPyConnection, agent: str, as_of: date) -> None:
    """Fill the temporary table ``due`` (decision_id, entity_id, chosen, as_of, outcome_due_at): outcomes to be joined."""
    connection.execute(
        f"""
        create or replace temp table due as
        select * from postgres_query('crm_db', '
            select decision_id, entity_id, chosen, as_of, outcome_due_at
            from crm_ai.decisions
            where agent = ''{agent}'' and outcome is null and outcome_due_at <= date ''{as_of}''
        ')
        """
    )


def write_outcomes(connection: duckdb.DuckDBPyConnection, outcomes: str) -> int:
    """Write what happened; a decision that has its outcome already keeps it.

    Parameters
    ----------
    outcomes : str
        DuckDB relation (decision_id, outcome, outcome_value, outcome_at).
    """
    columns = "decision_id, outcome, outcome_value, outcome_at"
    with scratch_folder() as folder, postgres.connect() as crm, crm.cursor() as cursor:
        path = folder / "outcomes.csv"
        export_csv(connection, f"select {columns} from {outcomes}", path)
        cursor.execute(f"create temp table outcomes on commit drop as select {columns} from crm_ai.decisions limit 0")
        copy_csv(cursor, "outcomes", columns, path)
        cursor.execute(
            "update crm_ai.decisions d set outcome = o.outcome, outcome_value = o.outcome_value, outcome_at = o.outcome_at "
            "from outcomes o where o.decision_id = d.decision_id and d.outcome is null"
        )
        return cursor.rowcount
