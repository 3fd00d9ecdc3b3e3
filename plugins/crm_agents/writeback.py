"""Write an agent's results into the CRM database: only the rows that differ, each with its line in the ledger.

The difference is computed in DuckDB, column by column; PostgreSQL then gets one COPY, one UPDATE and one INSERT, in the
same transaction as the ledger. A row that a person changed between the comparison and the write is noticed by its row
version (``ctid``): nothing is written then and the comparison is made again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import load_settings

if TYPE_CHECKING:
    import duckdb
    import psycopg

TRIES = 3
LEDGER_COLUMNS = "run_id, decision_id, table_name, row_key, operation, old_values, new_values, model_version"


@dataclass(frozen=True)
class Target:
    """A current-state table and how its rows are compared.

    Attributes
    ----------
    table : str
        For example ``"crm_ai.scores"``.
    key : tuple of str
        Columns that name a row.
    compared : tuple of str
        A difference in one of these makes a row changed.
    tolerances : dict
        Allowed absolute difference of numeric compared columns.
    carried : tuple of str
        Written together with a changed row, never a reason to write.
    scope : str
        SQL predicate (PostgreSQL) of the rows that this writer owns.
    renew_when : str
        SQL predicate over ``new.`` and ``old.`` rows: write although nothing compared differs.
    never_when : str
        SQL predicate over ``new.`` and ``old.`` rows: leave the row as it is (for example an older as_of).
    is_whole : bool
        What is written is everything in `scope`: rows that it lacks are deleted.
    """

    table: str
    key: tuple[str, ...]
    compared: tuple[str, ...]
    carried: tuple[str, ...]
    scope: str = "true"
    tolerances: dict[str, float] = field(default_factory=dict)
    renew_when: str = "false"
    never_when: str = "false"
    is_whole: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is written, key first."""
        return (*self.key, *self.compared, *self.carried)


@dataclass(frozen=True)
class WriteCounts:
    """What one write-back did, in rows."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int = 0

    @property
    def writes(self) -> int:
        """Rows inserted, updated or deleted."""
        return self.inserted + self.updated + self.deleted


def write_back(
    connection: duckdb.DuckDBPyConnection, target: Target, incoming: str, *, run_id: str, decisions: str | None = None
) -> WriteCounts:
    """Bring `target` to what `incoming` says, and write the ledger, in one PostgreSQL transaction.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    target : Target
        The table and its comparison.
    incoming : str
        Name of a DuckDB relation with every column of `target`; its ``model_version`` (when it has one) goes into the
        ledger too.
    run_id : str
        The run that writes.
    decisions : str, optional
        Name of a DuckDB relation (key columns of `target`, decision_id): the decision behind each written row.

    Returns
    -------
    WriteCounts
        A retry after a commit finds nothing to write.

    Raises
    ------
    CrmAgentsError
        When other writers changed the same rows during three tries in a row.
    """
    for _ in range(TRIES):
        counts = compare(connection, target, incoming)
        if not counts.writes:
            return counts
        with scratch_folder() as folder:
            _export(connection, target, folder, run_id, decisions)
            if _write(target, folder, counts):
                return counts
    raise CrmAgentsError(
        f"{target.table} kept changing while run {run_id} wrote to it; nothing was written.",
        "Another writer is busy on the same rows: run this agent again when it has finished.",
    )


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A private folder for files on their way into PostgreSQL, gone afterwards."""
    settings = load_settings()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.run_dir, prefix="copy-") as folder:
        yield Path(folder)


def export_csv(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write `query`'s rows as the CSV that `copy_csv` reads."""
    connection.execute(f"copy ({query}) to '{path}' (format csv, header false, nullstr '\\N')")


def copy_csv(cursor: psycopg.Cursor, table: str, columns: str, path: Path) -> None:
    """Load a file of `export_csv` into `table` with one COPY."""
    with (
        path.open("rb") as stream,
        cursor.copy(f"copy {table} ({columns}) from stdin (format csv, null '\\N')") as copy,
    ):
        while chunk := stream.read(1 << 20):
            copy.write(chunk)


def append(connection: duckdb.DuckDBPyConnection, table: str, columns: str, query: str, *, on_conflict: str) -> int:
    """Add `query`'s rows to an append-only `table`; a retry adds none twice.

    Parameters
    ----------
    on_conflict : str
        SQL after ``on conflict``, for example ``"do nothing"``.

    Returns
    -------
    int
        Rows added (or changed, when `on_conflict` updates).
    """
    with scratch_folder() as folder:
        path = folder / "rows.csv"
        export_csv(connection, query, path)
        with postgres.connect() as crm, crm.cursor() as cursor:
            cursor.execute(f"create temp table incoming on commit drop as select {columns} from {table} limit 0")
            copy_csv(cursor, "incoming", columns, path)
            cursor.execute(f"insert into {table} ({columns}) select {columns} from incoming on conflict {on_conflict}")
            return cursor.rowcount


def compare(connection: duckdb.DuckDBPyConnection, target: Target, incoming: str) -> WriteCounts:
    """Fill the temporary table ``difference``: new values, and for rows that exist their version and old values.

    Rows to be deleted have an operation of their own; the values in them are the old ones.

    Returns
    -------
    WriteCounts
        What a write-back would do.
    """
    values = (*target.compared, *target.carried)
    query = f"select ctid::text as _ctid, {', '.join(target.columns)} from {target.table} where {target.scope}"
    escaped = query.replace("'", "''")
    connection.execute(f"create or replace temp table existing as from postgres_query('crm_db', '{escaped}')")
    join = " and ".join(f"new.{name} = old.{name}" for name in target.key)
    differs = " or ".join(_differs(name, target.tolerances.get(name)) for name in target.compared)
    old = ", ".join(f"{name} := old.{name}" for name in values)
    new = ", ".join(f"{name} := new.{name}" for name in values)
    connection.execute(
        f"create or replace temp table difference as select {', '.join(f'new.{name}' for name in target.columns)}, "
        "case when old._ctid is null then 'insert' else 'update' end as _operation, old._ctid, "
        f"case when old._ctid is not null then to_json(struct_pack({old}))::varchar end as _old, "
        f"to_json(struct_pack({new}))::varchar as _new from {incoming} new left join existing old on {join} "
        f"where old._ctid is null or (not coalesce({target.never_when}, false) "
        f"and ({differs} or coalesce({target.renew_when}, false)))"
    )
    if target.is_whole:
        connection.execute(
            f"insert into difference select {', '.join(f'old.{name}' for name in target.columns)}, 'delete', old._ctid, "
            f"to_json(struct_pack({old}))::varchar, '{{}}' from existing old anti join {incoming} new on {join}"
        )
    row = connection.execute(
        "select count(*) filter (_operation = 'insert'), count(*) filter (_operation = 'update'), "
        f"(select count(*) from {incoming}) - count(*) filter (_operation <> 'delete'), "
        "count(*) filter (_operation = 'delete') from difference"
    ).fetchone()
    return WriteCounts(*row) if row else WriteCounts(0, 0, 0)


def _differs(name: str, tolerance: float | None) -> str:
    if tolerance is None:
        return f"new.{name} is distinct from old.{name}"
    return f"coalesce(abs(new.{name} - old.{name}) > {tolerance}, new.{name} is distinct from old.{name})"


def _export(
    connection: duckdb.DuckDBPyConnection, target: Target, folder: Path, run_id: str, decisions: str | None
) -> None:
    export_csv(
        connection, f"select {', '.join(target.columns)}, _ctid, _operation from difference", folder / "stage.csv"
    )
    key = ", ".join(f"{name} := d.{name}" for name in target.key)
    version = "d.model_version" if "model_version" in target.columns else "null"
    decision, join = "null", ""
    if decisions:
        decision, join = "x.decision_id", f"left join {decisions} x using ({', '.join(target.key)})"
    export_csv(
        connection,
        f"select '{run_id}', {decision}, '{target.table}', to_json(struct_pack({key}))::varchar, "
        f"d._operation, d._old, d._new, {version} from difference d {join}",
        folder / "ledger.csv",
    )


def _write(target: Target, folder: Path, expected: WriteCounts) -> bool:
    """Write stage and ledger in one transaction; False (and nothing written) when another writer was quicker."""
    columns = ", ".join(target.columns)
    stamp = ", updated_at = clock_timestamp()"
    sets = ", ".join(f"{name} = s.{name}" for name in (*target.compared, *target.carried))
    join = " and ".join(f"t.{name} = s.{name}" for name in target.key)
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.execute(
            f"create temp table stage on commit drop as select {columns}, ctid as _ctid, ''::text as _operation "
            f"from {target.table} limit 0"
        )
        copy_csv(cursor, "stage", f"{columns}, _ctid, _operation", folder / "stage.csv")
        updated = inserted = deleted = 0
        same = f"t.ctid = s._ctid and {join}"
        if expected.deleted:
            cursor.execute(f"delete from {target.table} t using stage s where s._operation = 'delete' and {same}")
            deleted = cursor.rowcount
        if expected.updated:
            cursor.execute(
                f"update {target.table} t set {sets}{stamp} from stage s where s._operation = 'update' and {same}"
            )
            updated = cursor.rowcount
        if expected.inserted:
            cursor.execute(
                f"insert into {target.table} ({columns}) select {columns} from stage where _operation = 'insert' "
                "on conflict do nothing"
            )
            inserted = cursor.rowcount
        if (inserted, updated, deleted) != (expected.inserted, expected.updated, expected.deleted):
            crm.rollback()
            return False
        copy_csv(cursor, "crm_ai.write_ledger", LEDGER_COLUMNS, folder / "ledger.csv")
    return True
