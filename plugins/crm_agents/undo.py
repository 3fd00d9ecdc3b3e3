"""Take a run back: what it wrote returns to what was there, except where someone has changed the row since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crm_agents import lake, postgres, scores
from crm_agents.errors import CrmAgentsError
from crm_agents.writeback import scratch_folder

if TYPE_CHECKING:
    import psycopg

AGENT = "undo_run"  # the DAG, as it stands in crm_ai.agent_runs
LISTED = 20


@dataclass
class UndoReport:
    """What an undo did, in rows; `kept` names (up to 20) rows that were changed since and stay as they are."""

    run_id: str
    restored: int = 0
    removed: int = 0
    kept_count: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What happened, as a sentence."""
        kept = f"; {self.kept_count:,} were changed since and stay as they are" if self.kept_count else ""
        return f"took back {self.run_id}: {self.restored:,} rows restored, {self.removed:,} removed{kept}"


def undo(run_id: str) -> UndoReport:
    """Undo every write of `run_id` that the ledger knows, in one transaction.

    Restored rows keep everything as it was before the run; rows that the run inserted are deleted, and those that it deleted
    come back unless there is another one in their place; a row whose present
    values are not those that the run wrote was changed since (by a person or a later run) and is left alone and listed.
    The run's history rows and decisions are taken back with it, and restored scores get the reasons back that they had.

    Raises
    ------
    CrmAgentsError
        When the run wrote nothing, was undone before, or is an undo itself.
    """
    report = UndoReport(run_id)
    with postgres.connect() as crm, crm.cursor() as cursor:
        tables = cursor.execute(
            "select table_name, count(*) filter (where undone_at is null) from crm_ai.write_ledger where run_id = %s "
            "group by table_name",
            (run_id,),
        ).fetchall()
        _refuse_if_nothing_to_do(cursor, run_id, tables)
        for table, open_writes in tables:
            if open_writes:
                _undo_table(cursor, table, run_id, report)
        _undo_records(cursor, run_id)
        _restore_reasons(cursor, run_id)
    return report


def _restore_reasons(cursor: psycopg.Cursor, run_id: str) -> None:
    """Bring back what the lake has kept: it still sees the ledger as it was before this transaction."""
    with scratch_folder() as folder:
        path = folder / "reasons.csv"
        with lake.connect(with_crm=True) as connection:
            is_any = scores.export_earlier_reasons(connection, run_id, path)
        if is_any:
            scores.restore_reasons(cursor, path)


def _refuse_if_nothing_to_do(cursor: psycopg.Cursor, run_id: str, tables: list[tuple[str, int]]) -> None:
    if not tables:
        undone = cursor.execute(
            "select status_reason from crm_ai.agent_runs where run_id = %s and agent = %s", (run_id, AGENT)
        ).fetchone()
        if undone:
            raise CrmAgentsError(
                f"Run {run_id} is an undo itself ({undone[0]}), and an undo cannot be undone.",
                "Run the agent again to get its results back.",
            )
        known = cursor.execute(
            "select run_id from crm_ai.agent_runs where writes > 0 and status <> 'undone' and agent <> %s "
            "order by started_at desc limit 5",
            (AGENT,),
        ).fetchall()
        latest = ", ".join(row[0] for row in known) or "none"
        raise CrmAgentsError(
            f"Run {run_id} wrote nothing that could be undone.", f"The latest runs that wrote: {latest}."
        )
    if not any(open_writes for _, open_writes in tables):
        raise CrmAgentsError(f"Run {run_id} was undone before.", "Run the agent again to get its results back.")


def _undo_table(cursor: psycopg.Cursor, table: str, run_id: str, report: UndoReport) -> None:
    schema, name = table.split(".")
    columns: dict[str, str] = dict(
        cursor.execute(
            "select column_name, udt_name from information_schema.columns where table_schema = %s and table_name = %s",
            (schema, name),
        ).fetchall()
    )
    sample = cursor.execute(
        "select row_key, coalesce(nullif(new_values, '{}'), old_values) from crm_ai.write_ledger "
        "where run_id = %s and table_name = %s limit 1",
        (run_id, table),
    ).fetchone()
    key, values = sample if sample else ({}, {})
    join = " and ".join(f"t.{column} = l.{column}" for column in key)
    typed_key = ", ".join(f"(row_key ->> '{column}')::{columns[column]} as {column}" for column in key)
    cursor.execute("drop table if exists taken_back")
    cursor.execute(
        f"create temp table taken_back on commit drop as select write_id, operation, old_values, new_values, {typed_key} "
        "from crm_ai.write_ledger where run_id = %s and table_name = %s and undone_at is null",
        (run_id, table),
    )
    cursor.execute("analyze taken_back")
    same = (
        "t = jsonb_populate_record(t, l.new_values)"  # as values of the table's types, however the ledger spells them
    )
    sets = ", ".join(values)
    restored = cursor.execute(
        f"with done as (update {table} t set ({sets}, updated_at) = (select {sets}, clock_timestamp() from "
        f"jsonb_populate_record(t, l.old_values)) from taken_back l where l.operation = 'update' and {join} and {same} "
        "returning l.write_id), mark as (update crm_ai.write_ledger w set undone_at = clock_timestamp() from done "
        "where w.write_id = done.write_id) select count(*) from done"
    ).fetchone()
    removed = cursor.execute(
        f"with done as (delete from {table} t using taken_back l where l.operation = 'insert' and {join} and {same} "
        "returning l.write_id), mark as (update crm_ai.write_ledger w set undone_at = clock_timestamp() from done "
        "where w.write_id = done.write_id) select count(*) from done"
    ).fetchone()
    came_back = cursor.execute(
        f"with done as (insert into {table} ({', '.join(key)}, {sets}) select {', '.join(f'r.{column}' for column in key)}, "
        f"{', '.join(f'r.{column}' for column in values)} from taken_back l, jsonb_populate_record(null::{table}, "
        "l.old_values || to_jsonb(l)) r where l.operation = 'delete' on conflict do nothing "
        f"returning {', '.join(key)}), mark as (update crm_ai.write_ledger w set undone_at = clock_timestamp() "
        f"from taken_back l join done t on {join} where w.write_id = l.write_id and l.operation = 'delete') "
        "select count(*) from done"
    ).fetchone()
    report.restored += (restored[0] if restored else 0) + (came_back[0] if came_back else 0)
    report.removed += removed[0] if removed else 0
    kept = cursor.execute(
        "select row_key from crm_ai.write_ledger where run_id = %s and table_name = %s and undone_at is null "
        "order by write_id",
        (run_id, table),
    )
    rows = kept.fetchmany(LISTED)
    report.kept += [{"table": table, **row[0]} for row in rows]
    report.kept_count += kept.rowcount


def _undo_records(cursor: psycopg.Cursor, run_id: str) -> None:
    """Take back what is not ledgered: history and reasons of rows that no longer show this run, open decisions."""
    for table in ("score_history", "score_reasons"):
        cursor.execute(
            f"delete from crm_ai.{table} h where run_id = %s and not exists (select from crm_ai.scores s where "
            "(s.entity_type, s.entity_id, s.model) = (h.entity_type, h.entity_id, h.model) and s.run_id = h.run_id)",
            (run_id,),
        )
    cursor.execute(
        "insert into crm_ai.score_history (entity_type, entity_id, model, as_of, value, unit, grade, percentile, status, "
        "status_reason, method, model_version, run_id) select s.entity_type, s.entity_id, s.model, s.as_of, s.value, "
        "s.unit, s.grade, s.percentile, s.status, s.status_reason, s.method, s.model_version, s.run_id from crm_ai.scores s "
        "join crm_ai.write_ledger w on w.run_id = %s and w.undone_at is not null and w.table_name = 'crm_ai.scores' "
        "and w.row_key ->> 'entity_type' = s.entity_type and w.row_key ->> 'entity_id' = s.entity_id "
        "and w.row_key ->> 'model' = s.model on conflict do nothing",
        (run_id,),
    )
    cursor.execute(
        "update crm_ai.decisions set outcome = 'undone', outcome_at = clock_timestamp() where run_id = %s "
        "and outcome is null",
        (run_id,),
    )
    cursor.execute("delete from crm_ai.segment_moves where run_id = %s", (run_id,))
    cursor.execute("update crm_ai.agent_runs set status = 'undone' where run_id = %s", (run_id,))
