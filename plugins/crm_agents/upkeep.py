"""Keep the lake small and quick: merge small files, drop rows and expire snapshots that nothing refers to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crm_agents import agents, lake, postgres, scores

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Upkeep:
    """What one upkeep did."""

    files_before: int
    files_after: int
    snapshots_expired: int
    snapshots_kept_for_models: int
    reasons_forgotten: int
    working_rows_forgotten: int


def maintain(*, at: datetime | None = None, keep_days: int = 30) -> Upkeep:
    """Maintain the lake.

    Parameters
    ----------
    at : datetime
        The present (this is upkeep of files, not work on data: snapshots carry the wall clock).
    keep_days : int
        Snapshots younger than this stay, and so do, however old, those that a model version was trained on: that
        training set can be read again. What agents' runs worked out in the lake stays as long: so long they can be replayed.
    """
    limit = (at or datetime.now(UTC)) - timedelta(days=keep_days)
    with postgres.connect() as crm:
        trained_on = {
            row[0]
            for row in crm.execute(
                "select distinct training_snapshot from crm_ai.models where training_snapshot is not null"
            )
        }
    with lake.connect() as connection:
        before = _data_files(connection)
        forgotten = scores.forget_reasons(connection), _forget_working_rows(connection, limit)
        connection.execute("call ducklake_merge_adjacent_files('lake')")
        old = {
            row[0]
            for row in connection.execute(
                "select snapshot_id from ducklake_snapshots('lake') where snapshot_time < ? "
                "and snapshot_id < (select max(snapshot_id) from ducklake_snapshots('lake'))",
                [limit],
            ).fetchall()
        }
        expire = sorted(old - trained_on)
        if expire:
            connection.execute(f"call ducklake_expire_snapshots('lake', versions => {expire})")
        connection.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
        return Upkeep(before, _data_files(connection), len(expire), len(old & trained_on), *forgotten)


def _forget_working_rows(connection: duckdb.DuckDBPyConnection, limit: datetime) -> int:
    """Delete the predictions and decisions that runs before `limit` left in the lake; return the rows deleted."""
    with postgres.connect() as crm:
        old = crm.execute("select run_id from crm_ai.agent_runs where started_at < %s", (limit,)).fetchall()
    present = {
        f"{schema}.{name}"
        for schema, name in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
    }
    tables = [table for agent in agents.AGENTS for table in agents.find(agent).WORKING_TABLES if table in present]
    deleted = 0
    for table in tables if old else ():
        runs = [run_id for (run_id,) in old]
        row = connection.execute(f"delete from {table} where list_contains(?, run_id)", [runs]).fetchone()
        deleted += int(row[0]) if row else 0
    return deleted


def _data_files(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select sum(file_count) from ducklake_table_info('lake')").fetchone()
    return int(row[0] or 0) if row else 0
