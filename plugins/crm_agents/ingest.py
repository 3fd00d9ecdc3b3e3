"""From the CRM into the lake: only what changed, in one lake transaction, all or nothing.

For each CRM table the rows at or above the watermark (minus an overlap, because a long transaction commits late) are
compared with what the lake has, and only those that differ are written. Deletes have no ``updated_at``: they are found
by comparing key sets, which happens only when the table's fingerprint (row count, PostgreSQL's own counters) says that
something else than the watermark's rows moved. A deleted row stays as a tombstone (``_deleted``). A table whose
fingerprint is the one of the last ingest is not read at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crm_agents import build_log, lake, postgres
from crm_agents.crm_schema import CrmTable, crm_tables
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    import duckdb

OVERLAP_MINUTES = 10
# Counting rows costs a scan: up to this size every ingest does it, above it PostgreSQL's counters alone decide, and
# these may lag ten seconds behind a session that stays open.
COUNT_EXACTLY_BELOW = 2_000_000

STATE_DDL = """
create table if not exists lake.raw.ingest_state (
    table_name VARCHAR, watermark TIMESTAMPTZ, batch_id BIGINT, fingerprint VARCHAR
)
"""


@dataclass
class TableCounts:
    """What one ingest moved for one table."""

    table: str
    upserted: int = 0
    deleted: int = 0
    quarantined: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


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


@dataclass(frozen=True)
class _Source:
    """A CRM table as PostgreSQL has it now: its columns as lake types, and what betrays that it was written to."""

    columns: dict[str, str]
    fingerprint: dict[str, Any]


@dataclass(frozen=True)
class _State:
    """What the last ingest of a table left behind."""

    watermark: str | None
    fingerprint: dict[str, Any]


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
        sources = _sources()
        if "customers" not in sources:
            raise CrmAgentsError("The CRM has no table crm.customers.", "`crm-agents up` creates the CRM's tables.")
        try:
            connection.execute("begin")
            result = _ingest_all(connection, sources, run_id, progress)
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
    """Tell whether the marts have something to do: rows moved, or an earlier batch never got through them."""
    if always or result.moved:
        return True
    built = build_log.last_build()
    return built is None or built.batch_id < result.batch_id


def _ingest_all(
    connection: duckdb.DuckDBPyConnection,
    sources: dict[str, _Source],
    run_id: str,
    progress: Callable[[str], None] | None,
) -> IngestResult:
    last_batch = newest_batch(connection)
    batch = last_batch + 1
    states = {
        name: _State(watermark, json.loads(fingerprint))
        for name, watermark, fingerprint in connection.execute(
            "select table_name, watermark::varchar, fingerprint from lake.raw.ingest_state"
        ).fetchall()
    }
    known_before = _raw_columns(connection)
    done: list[TableCounts] = []
    for table in crm_tables().values():
        counts = TableCounts(table.name)
        started = time.perf_counter()
        source, state = sources.get(table.name), states.get(table.name)
        columns = _ensure_raw(connection, table, source, known_before.get(table.name))
        if source and not (state and state.fingerprint == source.fingerprint):
            _ingest_table(connection, table, source, columns, state, batch, run_id, counts)
        counts.seconds = time.perf_counter() - started
        done.append(counts)
        if progress and counts.upserted + counts.deleted + counts.quarantined:
            progress(f"{table.name}: {counts.upserted:,} new or changed, {counts.deleted:,} deleted")
    moved = any(counts.upserted + counts.deleted for counts in done) or not known_before
    return IngestResult(run_id, batch if moved else last_batch, moved, tuple(done))


def _sources() -> dict[str, _Source]:
    """Read which CRM tables exist, their columns and their fingerprints, in two queries."""
    catalog = """
        select c.relname, json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod) order by a.attnum),
               json_build_object('file', c.relfilenode, 'inserted', s.n_tup_ins, 'updated', s.n_tup_upd,
                                 'deleted', s.n_tup_del),
               greatest(c.reltuples, s.n_live_tup)::bigint
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'crm'
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_stat_user_tables s on s.relid = c.oid
        where c.relkind in ('r', 'v', 'm', 'p', 'f')
        group by c.relname, c.relfilenode, c.reltuples, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_live_tup
    """
    with postgres.connect() as crm:
        rows = [row for row in crm.execute(catalog).fetchall() if row[0] in crm_tables()]
        counting = " union all ".join(
            f"select '{name}', {'count(*)' if (estimate or 0) < COUNT_EXACTLY_BELOW else 'null::bigint'}, "
            f"{'max(updated_at)::text' if 'updated_at' in columns else 'null'} from crm.{name}"
            for name, columns, _, estimate in rows
        )
        seen = {name: (count, newest) for name, count, newest in crm.execute(counting).fetchall()} if rows else {}
    return {
        name: _Source(
            {column: _lake_type(kind) for column, kind in columns.items()},
            {**counters, "columns": columns, "rows": seen[name][0], "newest": seen[name][1]},
        )
        for name, columns, counters, _ in rows
    }


def _lake_type(postgres_type: str) -> str:
    simple = {
        "timestamp with time zone": "TIMESTAMPTZ",
        "timestamp without time zone": "TIMESTAMP",
        "integer": "INTEGER",
        "bigint": "BIGINT",
        "smallint": "SMALLINT",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "double precision": "DOUBLE",
        "real": "FLOAT",
        "text[]": "VARCHAR[]",
    }
    if postgres_type.startswith("numeric("):
        return postgres_type.replace("numeric", "DECIMAL").replace(",", ", ")
    return simple.get(postgres_type, "VARCHAR")


def _raw_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'lake' and schema_name = 'raw' order by table_name, column_index"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = _canonical(kind)
    tables.pop("ingest_state", None)
    return tables


def _canonical(duckdb_type: str) -> str:
    if duckdb_type == "TIMESTAMP WITH TIME ZONE":
        return "TIMESTAMPTZ"
    return duckdb_type.replace(",", ", ") if duckdb_type.startswith("DECIMAL") else duckdb_type


def _ensure_raw(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    source: _Source | None,
    present: dict[str, str] | None,
) -> dict[str, str]:
    """Create ``raw.<table>`` or add the columns that the CRM has gained; return its data columns and their types."""
    extra = {name: kind for name, kind in (source.columns if source else {}).items() if name not in table.columns}
    if present is None:
        wanted = table.columns | extra
        body = ", ".join(f'"{name}" {kind}' for name, kind in wanted.items())
        connection.execute(f"create table lake.raw.{table.name} ({body}, _batch BIGINT, _deleted BOOLEAN)")
        return wanted
    for name, kind in extra.items():
        if name not in present:
            connection.execute(f'alter table lake.raw.{table.name} add column "{name}" {kind}')
            present[name] = kind
    return {name: kind for name, kind in present.items() if name not in ("_batch", "_deleted")}


def _ingest_table(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    source: _Source,
    columns: dict[str, str],
    state: _State | None,
    batch: int,
    run_id: str,
    counts: TableCounts,
) -> None:
    _read_candidates(connection, table, source, columns, state.watermark if state else None)
    _quarantine_bad_casts(connection, table, source, columns, run_id, counts)
    if state and _keys_may_differ(connection, table, source, state):
        _compare_keys(connection, table, source, columns, batch, counts)
    _write_changes(connection, table, columns, batch, counts, is_first=state is None)
    if counts.upserted or counts.deleted or state is None:
        newest = connection.execute("select max(updated_at)::varchar from candidates").fetchone()
        mark = max(filter(None, (state.watermark if state else None, newest[0] if newest else None)), default=None)
        connection.execute("delete from lake.raw.ingest_state where table_name = ?", [table.name])
        connection.execute(
            "insert into lake.raw.ingest_state values (?, least(?::timestamptz, ?::timestamptz), ?, ?)",
            [table.name, mark, _crm_clock(connection), batch, json.dumps(source.fingerprint)],
        )
    connection.execute("drop table candidates")


def _crm_clock(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the CRM server's time: a row dated in the future must not push the watermark past rows yet to come."""
    row = connection.execute("select * from postgres_query('crm_db', 'select clock_timestamp()::text')").fetchone()
    return str(row[0]) if row else ""


def _read_candidates(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    source: _Source,
    columns: dict[str, str],
    watermark: str | None,
) -> None:
    """Fill the temporary table ``candidates`` with what may be new; changed types arrive as text in ``<column>__text``."""
    remote, local = [], []
    for name, kind in columns.items():
        actual = source.columns.get(name)
        if actual is None:
            local.append(f'null::{kind} as "{name}"')
        elif actual == kind:
            remote.append(f'"{name}"' if kind != "VARCHAR" else f'"{name}"::text as "{name}"')
            local.append(f'"{name}"::{kind} as "{name}"')
        else:
            remote.append(f'"{name}"::text as "{name}__text"')
            local.append(f'try_cast("{name}__text" as {kind}) as "{name}", "{name}__text"')
    since = ""
    if watermark is not None and source.columns.get("updated_at") == "TIMESTAMPTZ":
        since = f" where updated_at >= timestamptz '{watermark}' - interval '{OVERLAP_MINUTES} minutes'"
    query = f"select {', '.join(remote)} from crm.{table.name}{since}".replace("'", "''")
    connection.execute(
        f"create or replace temp table candidates as select {', '.join(local)} from postgres_query('crm_db', '{query}')"
    )


def _quarantine_bad_casts(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    source: _Source,
    columns: dict[str, str],
    run_id: str,
    counts: TableCounts,
) -> None:
    """Move rows whose column changed its type, and no longer fits, into quarantine."""
    changed = [name for name, kind in columns.items() if source.columns.get(name, kind) != kind]
    if not changed:
        return
    bad = " or ".join(f'("{name}" is null and "{name}__text" is not null)' for name in changed)
    reasons = " || ".join(
        f'case when "{name}" is null and "{name}__text" is not null then \'{name}: \'\'\' || "{name}__text" || '
        f"''' is not {columns[name]}. ' else '' end"
        for name in changed
    )
    rows = connection.execute(
        f"select to_json(c)::varchar, {reasons} from candidates c where {bad}"  # every value as the CRM has it
    ).fetchall()
    with postgres.connect() as crm:
        crm.execute("delete from crm_ai.quarantine where run_id = %s and table_name = %s", (run_id, table.name))
        with (
            crm.cursor() as cursor,
            cursor.copy("copy crm_ai.quarantine (table_name, source_file, row, reason, run_id) from stdin") as copy,
        ):
            for row, reason in rows:
                copy.write_row((table.name, f"crm.{table.name}", row, reason.strip(), run_id))
    counts.quarantined = len(rows)
    counts.notes.append(f"columns of another type: {', '.join(changed)}")
    connection.execute(f"delete from candidates where {bad}")
    for name in changed:
        connection.execute(f'alter table candidates drop column "{name}__text"')


def _keys_may_differ(connection: duckdb.DuckDBPyConnection, table: CrmTable, source: _Source, state: _State) -> bool:
    """Tell whether rows were deleted (or inserted below the watermark) since the last ingest."""
    key = _key(table)
    found = connection.execute(
        f"select (select count(*) from candidates anti join (from lake.raw.{table.name} where not _deleted) "
        f"using ({key})), (select count(*) from lake.raw.{table.name} where not _deleted)"
    ).fetchone()
    inserted_rows, here = found or (0, 0)
    now, before = source.fingerprint, state.fingerprint
    if now["rows"] is not None and here + inserted_rows != now["rows"]:
        return True
    if now["file"] != before["file"] or now["deleted"] != before["deleted"]:
        return True
    return (now["inserted"] or 0) - (before["inserted"] or 0) > inserted_rows


def _compare_keys(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    source: _Source,
    columns: dict[str, str],
    batch: int,
    counts: TableCounts,
) -> None:
    """Turn rows that the CRM no longer has into tombstones, and fetch rows that it has below the watermark."""
    key = _key(table)
    connection.execute(f"create or replace temp table crm_keys as select {key} from crm_db.crm.{table.name}")
    gone = f"select {key} from lake.raw.{table.name} where not _deleted"
    tombstone = ", ".join(f'"{name}"' for name in columns)
    connection.execute(
        f"create or replace temp table gone as select {tombstone} from lake.raw.{table.name} r "
        f"anti join crm_keys k using ({key}) where not r._deleted"
    )
    deleted = connection.execute("select count(*) from gone").fetchone()
    counts.deleted = int(deleted[0]) if deleted else 0
    if counts.deleted:
        _delete_by_key(connection, table, "gone")
        connection.execute(
            f"insert into lake.raw.{table.name} ({tombstone}, _batch, _deleted) select {tombstone}, {batch}, true from gone"
        )
    missing = connection.execute(
        f"select count(*) from crm_keys anti join ({gone}) using ({key}) anti join candidates using ({key})"
    ).fetchone()
    if missing and missing[0]:
        late = {name for name in columns if source.columns.get(name) == columns[name]}
        chosen = ", ".join(f'"{name}"' for name in columns if name in late)
        connection.execute(
            f"insert into candidates ({chosen}) select {chosen} from crm_db.crm.{table.name} t "
            f"anti join ({gone}) using ({key}) anti join candidates using ({key})"
        )


def _write_changes(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    columns: dict[str, str],
    batch: int,
    counts: TableCounts,
    *,
    is_first: bool,
) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    if is_first:
        connection.execute(f"create or replace temp view changes as select {names} from candidates")
    else:
        join = " and ".join(f'c."{name}" = r."{name}"' for name in table.key)
        same = " and ".join(f'c."{name}" is not distinct from r."{name}"' for name in columns)
        connection.execute(
            f"create or replace temp table changes as select {names} from candidates c where not exists "
            f"(select 1 from lake.raw.{table.name} r where {join} and not r._deleted and {same})"
        )
        _delete_by_key(connection, table, "changes")
    written = connection.execute(
        f"insert into lake.raw.{table.name} ({names}, _batch, _deleted) select {names}, {batch}, false from changes"
    ).fetchone()
    counts.upserted = int(written[0]) if written else 0
    connection.execute(f"drop {'view' if is_first else 'table'} changes")


def _delete_by_key(connection: duckdb.DuckDBPyConnection, table: CrmTable, keys_of: str) -> None:
    any_row = connection.execute(f"select count(*) from {keys_of}").fetchone()
    if any_row and any_row[0]:
        join = " and ".join(f't."{name}" = k."{name}"' for name in table.key)
        connection.execute(f"delete from lake.raw.{table.name} t using {keys_of} k where {join}")


def _key(table: CrmTable) -> str:
    return ", ".join(f'"{name}"' for name in table.key)


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
