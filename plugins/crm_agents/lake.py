"""The lake: DuckLake tables (Parquet files under the home folder, catalog in PostgreSQL), read and written by DuckDB."""

from __future__ import annotations

import importlib.util
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crm_agents.errors import CrmAgentsError
from crm_agents.postgres import conninfo
from crm_agents.settings import Settings, load_settings

if TYPE_CHECKING:
    import duckdb

EXTENSIONS = ("postgres_scanner", "ducklake")
WRITE_TRIES = 20
SCHEMAS = ("raw", "staging", "intermediate", "marts", "features", "predictions")


def extension_file(name: str) -> Path:
    """Return the path of a DuckDB extension inside its installed wheel: nothing is copied or downloaded."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    found = (
        sorted(Path(spec.origin).parent.glob(f"extensions/*/{name}.duckdb_extension")) if spec and spec.origin else []
    )
    if not found:
        raise CrmAgentsError(f"DuckDB's extension {name} is not installed.", "`make demo` installs what is missing.")
    return found[-1]


def attach_path(settings: Settings | None = None) -> str:
    """Return what DuckDB attaches as the lake (no password in it)."""
    return f"ducklake:postgres:{conninfo('lake', settings)}"


def connect(*, with_crm: bool = False, settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the lake attached as ``lake`` (its default database).

    Parameters
    ----------
    with_crm : bool
        Also attach the PostgreSQL database ``crm`` as ``crm_db`` (so ``crm_db.crm.customers``).

    Raises
    ------
    CrmAgentsError
        When the catalog cannot be reached.
    """
    import duckdb

    settings = settings or load_settings()
    connection = open_duckdb(settings)
    try:
        connection.execute(f"attach '{attach_path(settings)}' as lake (data_path '{settings.lake_dir}/')")
        if with_crm:
            connection.execute(f"attach '{conninfo('crm', settings)}' as crm_db (type postgres)")
    except duckdb.Error as error:
        connection.close()
        reason = str(error).strip().splitlines()[0]
        raise CrmAgentsError(
            f"The lake cannot be opened: {reason}.", "`crm-agents status` shows whether PostgreSQL is running."
        ) from error
    connection.execute("use lake")
    return connection


def open_duckdb(settings: Settings | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with this installation's limits and extensions, nothing attached."""
    import duckdb

    settings = settings or load_settings()
    connection = duckdb.connect(config=duckdb_options(settings))
    for name in EXTENSIONS:
        connection.execute(f"load '{extension_file(name)}'")
    connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
    return connection


def duckdb_options(settings: Settings) -> dict[str, Any]:
    """Return the options of every DuckDB that this installation opens, dbt's included.

    Signatures of extensions are not verified: they come from wheels whose hashes pip has verified, and checking 80 MB anew in
    each task costs a quarter of a second.
    """
    return {
        "threads": settings.duckdb_threads,
        "memory_limit": settings.duckdb_memory_limit,
        "temp_directory": str(settings.duckdb_dir / "spill"),
        "allow_unsigned_extensions": True,
        "autoinstall_known_extensions": False,
        "preserve_insertion_order": False,
    }


def bootstrap(settings: Settings | None = None) -> None:
    """Create the lake's catalog and schemas when they are missing."""
    settings = settings or load_settings()
    settings.lake_dir.mkdir(parents=True, exist_ok=True)
    with connect(settings=settings) as connection:
        for schema in SCHEMAS:
            connection.execute(f"create schema if not exists lake.{schema}")


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the id of the lake's newest snapshot."""
    row = connection.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchone()
    return int(row[0]) if row else 0


def replace_rows(connection: duckdb.DuckDBPyConnection, table: str, run_id: str, query: str) -> None:
    """Store `query` as the rows of `run_id` in a lake table (made on first use): a retry replaces its first try's rows.

    Runs may do so side by side (a backfill works on several days at once): the lake refuses what another one has just
    overtaken, and the rows are written again on top of that.

    Parameters
    ----------
    query : str
        SELECT with a column ``run_id``, its other columns matched by name.
    """
    import duckdb

    for tries_left in reversed(range(WRITE_TRIES)):
        try:
            connection.execute("begin")
            connection.execute(f"create table if not exists {table} as {query} limit 0")
            _add_columns(connection, table, query)
            connection.execute(f"delete from {table} where run_id = '{run_id}'")
            connection.execute(f"insert into {table} by name {query}")
            connection.execute("commit")
            return
        except duckdb.TransactionException:
            with suppress(duckdb.TransactionException):
                connection.execute("rollback")
            if not tries_left:
                raise
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 (so that two who collided do not collide again)


def _add_columns(connection: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    """Add the columns that `query` has and `table` lacks: an older release made it."""
    known = {row[0] for row in connection.execute(f"describe {table}").fetchall()}
    for name, kind, *_ in connection.execute(f"describe {query}").fetchall():
        if name not in known:
            connection.execute(f'alter table {table} add column "{name}" {kind}')


def among(connection: duckdb.DuckDBPyConnection, column: str, query: str) -> str:
    """Return the PostgreSQL condition that `column` is one of the texts that `query` finds in the lake.

    For some ten thousand keys at most: PostgreSQL then finds their rows by its index, where joining would read whole tables.
    """
    row = connection.execute(
        f"select string_agg(concat('''', replace(key, '''', ''''''), ''''), ',') from ({query}) as keys (key)"
    ).fetchone()
    return f"{column} = any(array[{row[0]}])" if row and row[0] else "false"
