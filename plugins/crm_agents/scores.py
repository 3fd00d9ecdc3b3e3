"""The tables ``crm_ai.scores``, ``score_history`` and ``score_reasons``: how any model's scores are written.

``score_reasons`` has the reasons of the scores that stand now. Those of every run are kept in the lake
(``predictions.<model>_reasons``), from where undo brings them back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from crm_agents import lake, postgres
from crm_agents.writeback import Target, copy_csv, export_csv, scratch_folder

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import psycopg

HISTORY_KEY = "entity_type, entity_id, model, as_of"
HISTORY_VALUES = (
    "value",
    "unit",
    "grade",
    "percentile",
    "status",
    "status_reason",
    "method",
    "model_version",
    "run_id",
)
KEPT_REASONS = (
    "select schema_name || '.' || table_name as table_name from duckdb_tables() "
    "where database_name = 'lake' and schema_name = 'predictions' and table_name like '%\\_reasons' escape '\\'"
)
REASON_COLUMNS = (
    "entity_type, entity_id, model, rank, direction, feature, feature_value, contribution, statement, run_id"
)


def target(models: Collection[str], only: str = "true") -> Target:
    """Return how rows of `models` in ``crm_ai.scores`` are compared (those that fulfil the SQL condition `only`).

    A row counts as changed when its value (to 1e-6), grade, status, its reason or the model version differs; the rest is written
    with those, or when half of the score's life is over.
    """
    return Target(
        table="crm_ai.scores",
        key=("entity_type", "entity_id", "model"),
        compared=("value", "grade", "status", "status_reason", "model_version"),
        carried=("unit", "percentile", "trend", "method", "as_of", "valid_until", "run_id"),
        scope=f"model in ({_listed(models)}) and {only}",
        tolerances={"value": 1e-6},
        never_when="new.as_of < old.as_of",
        renew_when="old.valid_until - new.as_of < (new.valid_until - new.as_of) // 2",
    )


def write_history(models: Collection[str], run_id: str) -> int:
    """Add the scores that `run_id` wrote to the history; the last score given for a day is the one that stays."""
    columns = f"{HISTORY_KEY}, {', '.join(HISTORY_VALUES)}"
    updates = ", ".join(f"{name} = excluded.{name}" for name in HISTORY_VALUES)
    with postgres.connect() as crm:
        return crm.execute(
            f"insert into crm_ai.score_history ({columns}) select {columns} from crm_ai.scores "
            f"where model = any(%s) and run_id = %s on conflict ({HISTORY_KEY}) do update set {updates}",
            (list(models), run_id),
        ).rowcount


def write_history_of_day(connection: duckdb.DuckDBPyConnection, incoming: str) -> int:
    """Write the history of a day gone by: every row of `incoming`, whatever stands now; return the rows written.

    Parameters
    ----------
    incoming : str
        DuckDB relation with the columns of ``crm_ai.score_history``, all of one day.
    """
    columns = f"{HISTORY_KEY}, {', '.join(HISTORY_VALUES)}"
    updates = ", ".join(f"{name} = excluded.{name}" for name in HISTORY_VALUES)
    with scratch_folder() as folder, postgres.connect() as crm, crm.cursor() as cursor:
        path = folder / "history.csv"
        export_csv(connection, f"select {columns} from {incoming}", path)
        cursor.execute(
            f"create temp table day_of_history on commit drop as select {columns} from crm_ai.score_history limit 0"
        )
        copy_csv(cursor, "day_of_history", columns, path)
        cursor.execute(
            f"insert into crm_ai.score_history ({columns}) select {columns} from day_of_history "
            f"on conflict ({HISTORY_KEY}) do update set {updates}"
        )
        return cursor.rowcount


def replace_reasons(connection: duckdb.DuckDBPyConnection, model: str, run_id: str, reasons: str) -> int:
    """Replace the reasons of every score that `run_id` wrote, and keep them in the lake for undo.

    Parameters
    ----------
    reasons : str
        DuckDB relation (entity_id, rank, direction, feature, feature_value, contribution, statement).

    Returns
    -------
    int
        Rows written. A changed score that is not in `reasons` (beyond the limit) loses its old ones: none is better than
        stale.
    """
    lake.replace_rows(
        connection,
        reasons_table(model),
        run_id,
        f"select '{run_id}' as run_id, 'customer' as entity_type, entity_id, '{model}' as model, rank::smallint as rank, "
        "direction::varchar as direction, feature::varchar as feature, feature_value::varchar as feature_value, "
        f"contribution::double as contribution, statement::varchar as statement from {reasons}",
    )
    with scratch_folder() as folder, postgres.connect() as crm, crm.cursor() as cursor:
        path = folder / "reasons.csv"
        export_csv(connection, f"select {REASON_COLUMNS} from {reasons_table(model)} where run_id = '{run_id}'", path)
        cursor.execute(
            "delete from crm_ai.score_reasons r using crm_ai.scores s where s.run_id = %s and s.model = %s and "
            "(r.entity_type, r.entity_id, r.model) = (s.entity_type, s.entity_id, s.model)",
            (run_id, model),
        )
        copy_csv(cursor, "crm_ai.score_reasons", REASON_COLUMNS, path)
        return cursor.rowcount


def _listed(models: Collection[str]) -> str:
    return ", ".join(f"'{model}'" for model in models)


def reasons_table(model: str) -> str:
    """Return the lake table that keeps the reasons of every run of `model`."""
    return f"predictions.{model}_reasons"


def export_earlier_reasons(connection: duckdb.DuckDBPyConnection, run_id: str, path: Path) -> bool:
    """Write the reasons that the scores had before `run_id` wrote over them, for `restore_reasons`; False when none are kept.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    """
    kept = {name for (name,) in connection.execute(f"select table_name from ({KEPT_REASONS})").fetchall()}
    connection.execute(
        f"""
        create or replace temp table before as from postgres_query('crm_db', '
            select row_key ->> ''entity_type'' as entity_type, row_key ->> ''entity_id'' as entity_id,
                row_key ->> ''model'' as model, old_values ->> ''run_id'' as run_id
            from crm_ai.write_ledger
            where run_id = ''{run_id}'' and table_name = ''crm_ai.scores'' and operation = ''update'' and undone_at is null
        ')
        """
    )
    models = [model for (model,) in connection.execute("select distinct model from before").fetchall()]
    queries = [
        f"select {REASON_COLUMNS} from {table} join before using (entity_type, entity_id, model, run_id)"
        for table in map(reasons_table, models)
        if table in kept
    ]
    if queries:
        export_csv(connection, " union all ".join(queries), path)
    return bool(queries)


def restore_reasons(cursor: psycopg.Cursor, path: Path) -> None:
    """Put back the reasons in `path` of every score that shows their run again."""
    cursor.execute("create temp table earlier_reasons (like crm_ai.score_reasons) on commit drop")
    copy_csv(cursor, "earlier_reasons", REASON_COLUMNS, path)
    cursor.execute(
        f"insert into crm_ai.score_reasons ({REASON_COLUMNS}) select e.* from (select {REASON_COLUMNS} from earlier_reasons) e "
        "join crm_ai.scores s using (entity_type, entity_id, model, run_id) on conflict do nothing"
    )


def forget_reasons(connection: duckdb.DuckDBPyConnection) -> int:
    """Delete kept reasons of runs that no score shows and that no undo can bring back; return the rows deleted."""
    with postgres.connect() as crm:
        needed = crm.execute(
            "select run_id from crm_ai.scores union select old_values ->> 'run_id' from crm_ai.write_ledger "
            "where table_name = 'crm_ai.scores' and operation = 'update' and undone_at is null"
        ).fetchall()
    connection.execute("create or replace temp table needed (run_id varchar)")
    if needed:
        connection.executemany("insert into needed values (?)", needed)
    deleted = 0
    for (table,) in connection.execute(f"select table_name from ({KEPT_REASONS})").fetchall():
        row = connection.execute(f"delete from {table} where run_id not in (select run_id from needed)").fetchone()
        deleted += int(row[0]) if row else 0
    return deleted
