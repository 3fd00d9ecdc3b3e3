"""Keep the lake small and quick: merge small files, drop rows and expire snapshots that nothing refers to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crm_agents import lake, postgres, scores

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


def maintain(*, at: datetime | None = None, keep_days: int = 30) -> Upkeep:
    """Maintain the lake.

    Parameters
    ----------
    at : datetime
        The present (this is upkeep of files, not work on data: snapshots carry the wall clock).
    keep_days : int
        Snapshots younger than this stay, and so do, however old, those that a model version was trained on: that
        training set can be read again.
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
        forgotten = scores.forget_reasons(connection)
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
        return Upkeep(before, _data_files(connection), len(expire), len(old & trained_on), forgotten)


def _data_files(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select sum(file_count) from ducklake_table_info('lake')").fetchone()
    return int(row[0] or 0) if row else 0
