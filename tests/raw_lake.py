"""Raw lake tables as an ingest leaves them, filled by hand: what changed comes in batches, deletes are tombstones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import duckdb

from crm_agents import lake, marts
from crm_agents.company import Company
from crm_agents.crm_schema import crm_tables

AS_OF = date(2024, 6, 30)
COMPANY = Company(
    name="shop",
    title="A shop",
    purchase_statuses=["completed", "placed"],
    non_product_codes=["POST"],
    prediction={"horizon_days": 30},
)


class RawLake:
    """The raw tables of an empty installation."""

    def __init__(self) -> None:
        self.batch = 1
        with lake.connect() as connection:
            for table in crm_tables().values():
                columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
                connection.execute(f"create table lake.raw.{table.name} ({columns}, _batch BIGINT, _deleted BOOLEAN)")

    def query(self, sql: str) -> list[tuple]:
        """Return the rows of a query on the lake."""
        with lake.connect() as connection:
            return connection.execute(sql).fetchall()

    def row(self, sql: str) -> dict[str, Any]:
        """Return the only row of a query on the lake, by column name."""
        with lake.connect() as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            (values,) = cursor.fetchall()
        return dict(zip(names, values, strict=True))

    def arrive(self, table: str, columns: str, *rows: Sequence[Any]) -> None:
        """Insert rows (or replace those of the same key) in the current batch; `columns` are separated by blanks."""
        names = columns.split()
        with lake.connect() as connection:
            connection.execute(f"create temp table arriving as select {', '.join(names)} from lake.raw.{table} limit 0")
            connection.executemany(f"insert into arriving values ({', '.join('?' for _ in names)})", list(rows))
            self._upsert(connection, table)

    def arrive_from(self, table: str, query: str) -> None:
        """Insert (or replace) the rows of a query, columns matched by name, in the current batch."""
        with lake.connect() as connection:
            connection.execute(f"create temp table arriving as {query}")
            self._upsert(connection, table)

    def vanish(self, table: str, where: str) -> None:
        """Delete rows from the CRM: they become tombstones of the current batch."""
        with lake.connect() as connection:
            connection.execute(f"update lake.raw.{table} set _deleted = true, _batch = {self.batch} where {where}")

    def build(self, as_of: date = AS_OF, **arguments: Any) -> marts.BuildResult:
        """Build the marts."""
        return marts.build(as_of=as_of, run_id=f"batch-{self.batch}", company=COMPANY, **arguments)

    def contents(self, schemas: Iterable[str] = ("intermediate", "marts", "features")) -> dict[str, tuple[int, str]]:
        """Return the number of rows and a checksum of every table, ingest batches and change logs left out."""
        with lake.connect() as connection:
            tables = connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'lake' "
                f"and schema_name in ({', '.join(repr(name) for name in schemas)}) "
                "and table_name not like '%_changes' and table_name <> 'build_state' "
                "and table_name not like '%_history'"
            ).fetchall()
            return {name: _checksum(connection, name) for (name,) in sorted(tables)}

    def _upsert(self, connection: duckdb.DuckDBPyConnection, table: str) -> None:
        same = " and ".join(f'old."{name}" = new."{name}"' for name in crm_tables()[table].key)
        connection.execute("begin")
        connection.execute(f"delete from lake.raw.{table} as old using arriving as new where {same}")
        connection.execute(
            f"insert into lake.raw.{table} by name select *, {self.batch} as _batch, false as _deleted from arriving"
        )
        connection.execute("commit")


def _checksum(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, str]:
    """Hash every row by its values: the order of rows and columns that hold batch ids do not matter."""
    names = [row[0] for row in connection.execute(f"describe lake.{table}").fetchall() if row[0] != "_batch"]
    values = ", ".join(f'"{name}"::varchar' for name in names)
    query = f"select count(*), coalesce(sum(hash({values})::hugeint), 0)::varchar from lake.{table}"
    row = connection.execute(query).fetchone()
    assert row
    return int(row[0]), str(row[1])
