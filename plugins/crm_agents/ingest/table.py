"""One CRM table on its way into the lake: what may be new, what is wrong, what is gone, what has to be written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.crm_schema import CrmTable
from crm_agents.ingest.source import Source, State

if TYPE_CHECKING:
    import duckdb

# A transaction that began earlier may commit later: rows this far below the watermark are looked at again.
OVERLAP_MINUTES = 10


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
class TableIngest:
    """The ingest of one table within the lake transaction of `connection`.

    Attributes
    ----------
    columns : dict
        The raw table's data columns and their types.
    state : State or None
        What the last ingest left behind; None at the first.
    batch : int
        Id of this ingest's batch.
    """

    connection: duckdb.DuckDBPyConnection
    table: CrmTable
    source: Source
    columns: dict[str, str]
    state: State | None
    batch: int
    run_id: str

    def run(self, counts: TableCounts) -> None:
        """Move what changed, and fill `counts`."""
        self._read_candidates()
        self._quarantine_bad_casts(counts)
        if self.state and self._keys_may_differ(self.state):
            self._compare_keys(counts)
        self._write_changes(counts)
        if counts.upserted or counts.deleted or self.state is None:
            self._remember()
        self.connection.execute("drop table candidates")

    @property
    def _key(self) -> str:
        return _names(self.table.key)

    @property
    def _raw(self) -> str:
        return f"lake.raw.{self.table.name}"

    @property
    def _live(self) -> str:
        return f"(from {self._raw} where not _deleted)"

    def _read_candidates(self) -> None:
        """Fill ``candidates`` with what may be new; changed types arrive as text in ``<column>__text``."""
        remote, local = [], []
        for name, kind in self.columns.items():
            actual = self.source.columns.get(name)
            if actual is None:
                local.append(f'null::{kind} as "{name}"')
            elif actual == kind:
                remote.append(f'"{name}"' if kind != "VARCHAR" else f'"{name}"::text as "{name}"')
                local.append(f'"{name}"::{kind} as "{name}"')
            else:
                remote.append(f'"{name}"::text as "{name}__text"')
                local.append(f'try_cast("{name}__text" as {kind}) as "{name}", "{name}__text"')
        query = f"select {', '.join(remote)} from crm.{self.table.name}{self._since()}".replace("'", "''")
        self.connection.execute(
            f"create or replace temp table candidates as "
            f"select {', '.join(local)} from postgres_query('crm_db', '{query}')"
        )

    def _since(self) -> str:
        watermark = self.state.watermark if self.state else None
        if watermark is None or self.source.columns.get("updated_at") != "TIMESTAMPTZ":
            return ""
        return f" where updated_at >= timestamptz '{watermark}' - interval '{OVERLAP_MINUTES} minutes'"

    def _quarantine_bad_casts(self, counts: TableCounts) -> None:
        """Move rows whose column changed its type, and no longer fits, into quarantine."""
        changed = [name for name, kind in self.columns.items() if self.source.columns.get(name, kind) != kind]
        if not changed:
            return
        misfits = {name: f'("{name}" is null and "{name}__text" is not null)' for name in changed}
        bad = " or ".join(misfits.values())
        reasons = " || ".join(
            f"case when {misfit} then '{name}: ''' || \"{name}__text\" || ''' is not {self.columns[name]}. ' else '' end"
            for name, misfit in misfits.items()
        )
        rows = self.connection.execute(
            f"select to_json(c)::varchar, {reasons} from candidates c where {bad}"  # each value as the CRM has it
        ).fetchall()
        with postgres.connect() as crm, crm.cursor() as cursor:
            cursor.execute(
                "delete from crm_ai.quarantine where run_id = %s and table_name = %s", (self.run_id, self.table.name)
            )
            cursor.executemany(
                "insert into crm_ai.quarantine (table_name, source_file, row, reason, run_id) values (%s, %s, %s, %s, %s)",
                [(self.table.name, f"crm.{self.table.name}", row, reason.strip(), self.run_id) for row, reason in rows],
            )
        counts.quarantined = len(rows)
        counts.notes.append(f"columns of another type: {', '.join(changed)}")
        self.connection.execute(f"delete from candidates where {bad}")
        for name in changed:
            self.connection.execute(f'alter table candidates drop column "{name}__text"')

    def _keys_may_differ(self, state: State) -> bool:
        """Tell whether rows were deleted (or inserted below the watermark) since the last ingest."""
        # The small side first: looking up the lake's keys in the candidates' reads one column and builds no large table.
        known = self._count(f"{self._live} semi join candidates using ({self._key})")
        inserted_rows = self._count("candidates") - known
        now, before = self.source.fingerprint, state.fingerprint
        if now["rows"] is not None and self._count(self._live) + inserted_rows != now["rows"]:
            return True
        if now["file"] != before["file"] or now["deleted"] != before["deleted"]:
            return True
        return (now["inserted"] or 0) - (before["inserted"] or 0) > inserted_rows

    def _compare_keys(self, counts: TableCounts) -> None:
        """Turn rows that the CRM no longer has into tombstones, and fetch rows that it has below the watermark."""
        key, data = self._key, _names(self.columns)
        run = self.connection.execute
        run(f"create or replace temp table crm_keys as select {key} from crm_db.crm.{self.table.name}")
        run(f"create or replace temp table gone as select {data} from {self._live} anti join crm_keys using ({key})")
        counts.deleted = self._count("gone")
        if counts.deleted:
            self._delete_by_key("gone")
            run(f"insert into {self._raw} ({data}, _batch, _deleted) select {data}, {self.batch}, true from gone")
        missing = f"anti join {self._live} using ({key}) anti join candidates using ({key})"
        if self._count(f"crm_keys {missing}"):
            same = _names(name for name, kind in self.columns.items() if self.source.columns.get(name) == kind)
            run(f"insert into candidates ({same}) select {same} from crm_db.crm.{self.table.name} {missing}")

    def _write_changes(self, counts: TableCounts) -> None:
        data = _names(self.columns)
        if self.state is None:
            changes = "candidates"
        else:
            changes = "changes"
            join = " and ".join(f'c."{name}" = r."{name}"' for name in self.table.key)
            same = " and ".join(f'c."{name}" is not distinct from r."{name}"' for name in self.columns)
            self.connection.execute(
                f"create or replace temp table changes as select {data} from candidates c "
                f"where not exists (select 1 from {self._live} r where {join} and {same})"
            )
            self._delete_by_key(changes)
        self.connection.execute(
            f"insert into {self._raw} ({data}, _batch, _deleted) select {data}, {self.batch}, false from {changes}"
        )
        counts.upserted = self._count(changes)

    def _remember(self) -> None:
        newest = self.connection.execute("select max(updated_at)::varchar from candidates").fetchone()
        before = self.state.watermark if self.state else None
        mark = max(filter(None, (before, newest[0] if newest else None)), default=None)
        self.connection.execute("delete from lake.raw.ingest_state where table_name = ?", [self.table.name])
        self.connection.execute(
            "insert into lake.raw.ingest_state values (?, least(?::timestamptz, ?::timestamptz), ?, ?)",
            [self.table.name, mark, self._crm_clock(), self.batch, json.dumps(self.source.fingerprint)],
        )

    def _crm_clock(self) -> str:
        """Return the CRM server's time: a row dated in the future must not push the watermark past rows yet to come."""
        row = self.connection.execute(
            "select * from postgres_query('crm_db', 'select clock_timestamp()::text')"
        ).fetchone()
        return str(row[0]) if row else ""

    def _delete_by_key(self, keys_of: str) -> None:
        if self._count(keys_of):
            join = " and ".join(f't."{name}" = k."{name}"' for name in self.table.key)
            self.connection.execute(f"delete from {self._raw} t using {keys_of} k where {join}")

    def _count(self, relation: str) -> int:
        row = self.connection.execute(f"select count(*) from {relation}").fetchone()
        return int(row[0]) if row else 0


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
