"""Write an agent's results into the CRM database: only the rows that differ, each with its line in the ledger.

The difference is computed in DuckDB from the columns that decide it. PostgreSQL then gets one COPY of the rows that differ and,
in the same transaction, writes the ledger from what stands there and updates, inserts and deletes. A row that somebody else
writes meanwhile makes that transaction fail; rows that appeared or went since the comparison are noticed by their number.
Nothing is written then and the comparison is made again.
"""

from __future__ import annotations

import re
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
MANY_ROWS = 1000  # from which PostgreSQL joins by a better plan when it knows what they are
MANY_KEYS = 2000  # characters of a scope that names its rows one by one: PostgreSQL's index finds them


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
        SQL predicate (PostgreSQL and DuckDB) of the rows that this writer owns.
    renew_when : str
        SQL predicate over ``new.`` and ``old.`` rows: write although nothing compared differs.
    never_when : str
        SQL predicate (PostgreSQL and DuckDB) over ``new.`` and ``old.`` rows: leave the row as it is (for example an older
        as_of).
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

    @property
    def deciding(self) -> tuple[str, ...]:
        """The columns of present rows that decide whether a row is written, key first."""
        asked = re.findall(r"\bold\.(\w+)", f"{self.renew_when} {self.never_when}")
        return tuple(dict.fromkeys((*self.key, *self.compared, *asked)))


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
            _export(connection, target, folder, decisions)
            if _write(target, folder, counts, run_id):
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
    """Fill the temporary table ``difference``: the rows to be written, each with its operation; of those to be deleted the key.

    Returns
    -------
    WriteCounts
        What a write-back would do.
    """
    query = f"select {', '.join(target.deciding)} from {{table}} where {target.scope}"
    if len(target.scope) > MANY_KEYS:
        escaped = query.format(table=target.table).replace("'", "''")
        existing = f"postgres_query('crm_db', '{escaped}')"
    else:
        existing = f"({query.format(table=f'crm_db.{target.table}')})"
    if target.is_whole:  # asked twice
        connection.execute(f"create or replace temp table existing as from {existing}")
        existing = "existing"
    join = " and ".join(f"new.{name} = old.{name}" for name in target.key)
    differs = " or ".join(_differs(name, target.tolerances.get(name)) for name in target.compared)
    is_new = f"old.{target.key[0]} is null"
    connection.execute(
        f"create or replace temp table difference as select {', '.join(f'new.{name}' for name in target.columns)}, "
        f"case when {is_new} then 'insert' else 'update' end as _operation "
        f"from {incoming} new left join {existing} old on {join} "
        f"where {is_new} or (not coalesce({target.never_when}, false) "
        f"and ({differs} or coalesce({target.renew_when}, false)))"
    )
    if target.is_whole:
        connection.execute(
            f"insert into difference by name select {', '.join(f'old.{name}' for name in target.key)}, 'delete' as _operation "
            f"from existing old anti join {incoming} new on {join}"
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


def _export(connection: duckdb.DuckDBPyConnection, target: Target, folder: Path, decisions: str | None) -> None:
    """Write the difference as the CSV of the stage, each row with the decision behind it."""
    decision, join = "null", ""
    if decisions:
        decision, join = "x.decision_id", f"left join {decisions} x using ({', '.join(target.key)})"
    columns = ", ".join(f"d.{name}" for name in target.columns)
    export_csv(connection, f"select {columns}, d._operation, {decision} from difference d {join}", folder / "stage.csv")


def _write(target: Target, folder: Path, expected: WriteCounts, run_id: str) -> bool:
    """Write rows and ledger in one transaction; False (and nothing written) when another writer was quicker."""
    import psycopg

    with postgres.connect() as crm:
        crm.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # ledger and update see the same rows
        try:
            with crm.cursor() as cursor:
                _fill_stage(cursor, target, folder, expected)
                written = _write_rows(cursor, target, expected, run_id)
        except psycopg.errors.SerializationFailure:
            crm.rollback()
            return False
        if written != (expected.inserted, expected.updated, expected.deleted):
            crm.rollback()
            return False
    return True


def _fill_stage(cursor: psycopg.Cursor, target: Target, folder: Path, expected: WriteCounts) -> None:
    columns = ", ".join(target.columns)
    cursor.execute(
        f"create temp table stage on commit drop as select {columns}, ''::text as _operation, ''::text as _decision_id "
        f"from {target.table} limit 0"
    )
    copy_csv(cursor, "stage", f"{columns}, _operation, _decision_id", folder / "stage.csv")
    if expected.writes > MANY_ROWS:
        cursor.execute("analyze stage")


def _write_rows(cursor: psycopg.Cursor, target: Target, expected: WriteCounts, run_id: str) -> tuple[int, int, int]:
    """Write the ledger from what stands there, then the rows; return how many were inserted, updated and deleted."""
    columns = ", ".join(target.columns)
    values = (*target.compared, *target.carried)
    same = " and ".join(f"t.{name} = s.{name}" for name in target.key)
    never = re.sub(r"\bold\.", "t.", re.sub(r"\bnew\.", "s.", target.never_when))
    found = f"s._operation = 'update' and {same} and not coalesce({never}, false)"
    inserted = updated = deleted = 0
    if expected.deleted:
        gone = f"s._operation = 'delete' and {same}"
        _ledger(cursor, target, run_id, "t", "", f"from {target.table} t join stage s on {gone}")
        cursor.execute(f"delete from {target.table} t using stage s where {gone}")
        deleted = cursor.rowcount
    if expected.updated:
        _ledger(cursor, target, run_id, "t", "s", f"from {target.table} t join stage s on {found}")
        sets = ", ".join(f"{name} = s.{name}" for name in values)
        cursor.execute(
            f"update {target.table} t set {sets}, updated_at = (select clock_timestamp()) from stage s where {found}"
        )
        updated = cursor.rowcount
    if expected.inserted:
        cursor.execute(
            f"insert into {target.table} ({columns}) select {columns} from stage where _operation = 'insert' "
            "on conflict do nothing"
        )
        inserted = cursor.rowcount
        _ledger(cursor, target, run_id, "", "s", "from (select * from stage where _operation = 'insert') s")
    return inserted, updated, deleted


def _ledger(cursor: psycopg.Cursor, target: Target, run_id: str, old: str, new: str, source: str) -> None:
    """Add a line to the ledger for each row of `source`; `old` and `new` are its aliases of what was and will be, or empty."""
    row = new or old
    values = (*target.compared, *target.carried)
    objects = {"k": (row, target.key), "o": (old, values), "n": (new, values)}
    laterals = [
        f"cross join lateral (select {', '.join(f'{alias}.{column}' for column in columns)}) {name}"
        for name, (alias, columns) in objects.items()
        if alias
    ]
    before, after = "to_jsonb(o)" if old else "null", "to_jsonb(n)" if new else "'{}'"
    version = f"{row}.model_version" if "model_version" in target.columns else "null"
    cursor.execute(
        f"insert into crm_ai.write_ledger ({LEDGER_COLUMNS}) select %s, s._decision_id, '{target.table}', to_jsonb(k), "
        f"s._operation, {before}, {after}, {version} {source} {' '.join(laterals)}",
        (run_id,),
    )
