"""The ingest of all tables: one lake transaction, all or nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_agents import build_log, lake, postgres
from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.ingest.raw import ensure_raw, raw_columns
from crm_agents.ingest.source import Source, State, sources
from crm_agents.ingest.table import TableCounts, TableIngest

if TYPE_CHECKING:
    import duckdb

PATIENCE_MINUTES = 15

STATE_DDL = """
create table if not exists lake.raw.ingest_state (
    table_name VARCHAR, watermark TIMESTAMPTZ, batch_id BIGINT, fingerprint VARCHAR
)
"""


@dataclass(frozen=True)
class IngestResult:
    """What one ingest moved; `batch_id` is the newest batch in the lake, whether or not this run made it."""

    run_id: str
    batch_id: int
    moved: bool
    tables: tuple[TableCounts, ...]

    @property
    def rows_moved(self) -> int:
        """Rows written or tombstoned over all tables."""
        return sum(counts.upserted + counts.deleted for counts in self.tables)


def run(*, run_id: str, progress: Callable[[str], None] | None = None) -> IngestResult:
    """Bring every change of the CRM into ``lake.raw``.

    Parameters
    ----------
    run_id : str
        Marks quarantined rows and counts; a retry with the same id replaces what its first try wrote there.
    progress : callable, optional
        Told one line per table that moved.

    Returns
    -------
    IngestResult
        A second run with nothing new moves no rows and keeps `batch_id`.

    Raises
    ------
    CrmAgentsError
        When the CRM or the lake cannot be reached, or the required table ``crm.customers`` is missing.
    """
    import duckdb

    with lake.connect(with_crm=True) as connection:
        present = sources()
        if "customers" not in present:
            raise CrmAgentsError("The CRM has no table crm.customers.", "`crm-agents up` creates the CRM's tables.")
        try:
            connection.execute("begin")
            result = _ingest_all(connection, present, run_id, progress)
            connection.execute("commit" if result.moved else "rollback")
        except duckdb.Error as error:
            raise CrmAgentsError(
                f"The CRM could not be read into the lake: {str(error).strip().splitlines()[0]}",
                "Nothing was changed; the next run starts where the last complete one ended.",
            ) from error
    _write_counts(result)
    return result


def newest_batch(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the id of the newest batch in the lake, 0 before the first ingest."""
    connection.execute(STATE_DDL)
    row = connection.execute("select coalesce(max(batch_id), 0) from lake.raw.ingest_state").fetchone()
    return int(row[0]) if row else 0


def is_worth_publishing(result: IngestResult, *, always: bool = False) -> bool:
    """Tell whether the marts have something to do: rows moved, or an earlier batch never got through them.

    A batch that came within the last `PATIENCE_MINUTES` is still on its way.
    """
    if always or result.moved:
        return True
    built = build_log.last_build()
    if built is not None and built.batch_id >= result.batch_id:
        return False
    with postgres.connect() as crm:
        row = crm.execute(
            "select min(at) < now() - make_interval(mins => %s) from crm_ai.ingest_counts where batch_id = %s",
            (PATIENCE_MINUTES, result.batch_id),
        ).fetchone()
    return bool(row and row[0])


def _ingest_all(
    connection: duckdb.DuckDBPyConnection,
    present: dict[str, Source],
    run_id: str,
    progress: Callable[[str], None] | None,
) -> IngestResult:
    last_batch = newest_batch(connection)
    states, known_before = _states(connection), raw_columns(connection)
    done: list[TableCounts] = []
    for table in crm_tables().values():
        counts, started = TableCounts(table.name), time.perf_counter()
        source, state = present.get(table.name), states.get(table.name)
        columns = ensure_raw(connection, table, source, known_before.get(table.name))
        if source and not (state and state.fingerprint == source.fingerprint):
            TableIngest(connection, table, source, columns, state, last_batch + 1, run_id).run(counts)
        counts.seconds = time.perf_counter() - started
        done.append(counts)
        if progress and counts.upserted + counts.deleted + counts.quarantined:
            progress(f"{table.name}: {counts.upserted:,} new or changed, {counts.deleted:,} deleted")
    moved = any(counts.upserted + counts.deleted for counts in done) or not known_before
    return IngestResult(run_id, last_batch + 1 if moved else last_batch, moved, tuple(done))


def _states(connection: duckdb.DuckDBPyConnection) -> dict[str, State]:
    rows = connection.execute(
        "select table_name, watermark::varchar, fingerprint from lake.raw.ingest_state"
    ).fetchall()
    return {name: State(watermark, json.loads(fingerprint)) for name, watermark, fingerprint in rows}


def _write_counts(result: IngestResult) -> None:
    rows = [
        {
            "table": counts.table,
            "upserted": counts.upserted,
            "deleted": counts.deleted,
            "quarantined": counts.quarantined,
            "seconds": round(counts.seconds, 3),
        }
        for counts in result.tables
    ]
    with postgres.connect() as crm:
        crm.execute("delete from crm_ai.ingest_counts where run_id = %s", (result.run_id,))
        crm.execute(
            "insert into crm_ai.ingest_counts (run_id, table_name, batch_id, rows_upserted, rows_deleted, "
            'rows_quarantined, seconds) select %s, x."table", %s, x.upserted, x.deleted, x.quarantined, x.seconds '
            'from json_to_recordset(%s::json) as x("table" text, upserted bigint, deleted bigint, quarantined bigint, '
            "seconds double precision)",
            (result.run_id, result.batch_id, json.dumps(rows)),
        )
