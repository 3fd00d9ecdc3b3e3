"""What a gate looks at: which day, which rows, and what the lake's catalog says about the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from expectations.rules import AS_OF, CURRENCY, FUTURE, Family, RowRule, Rule, Suite

if TYPE_CHECKING:
    import duckdb

Columns = Mapping[str, str]

NUMBERS = ("DECIMAL", "DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT")
TYPES: Mapping[Family, tuple[str, ...]] = {
    "text": ("VARCHAR",),
    "number": NUMBERS,
    "time": ("TIMESTAMP WITH TIME ZONE",),
    "date": ("DATE",),
    "flag": ("BOOLEAN",),
}


@dataclass(frozen=True)
class Scope:
    """Which rows a gate looks at.

    Parameters
    ----------
    as_of : date
        The asked day.
    conditions : mapping of str to str
        SQL condition by the column that it reads; a table without that column is looked at without it.
    after_batch : int, optional
        Raw tables that got no row after this batch are left out, which the catalog tells without a scan.
    typical_rows : mapping of str to float
        Rows of a typical earlier batch by table, where enough earlier batches are known.
    currency : str, optional
        The company's currency; without it rules that compare with it are left out.
    """

    as_of: date
    conditions: Mapping[str, str]
    after_batch: int | None = None
    typical_rows: Mapping[str, float] = field(default_factory=dict)
    currency: str | None = None

    def bind(self, sql: str) -> str:
        """Return `sql` with what it stands for filled in; a time is future from the second midnight (UTC) on."""
        future = f"timestamptz '{self.as_of + timedelta(days=2)} 00:00:00+00'"
        return (
            sql.replace(FUTURE, future).replace(AS_OF, f"date '{self.as_of}'").replace(CURRENCY, f"'{self.currency}'")
        )

    def source(self, suite: Suite, columns: Columns) -> str:
        """Return the FROM and WHERE of the rows of `suite` that the gate looks at."""
        conditions = [condition for column, condition in self.conditions.items() if column in columns]
        return f"lake.{suite.schema}.{suite.table} where {' and '.join(conditions) or 'true'}"

    def can_run(self, rule: Rule, columns: Columns) -> bool:
        """Tell whether the table has what `rule` reads (what it lacks is told by the rule columns_as_declared)."""
        if isinstance(rule, RowRule) and CURRENCY in rule.unexpected and self.currency is None:
            return False
        return all(column in columns and is_of(columns[column], family) for column, family in rule.columns.items())


def is_of(kind: str, family: Family) -> bool:
    """Tell whether the DuckDB type `kind` is of `family`."""
    return family == "any" or kind.split("(")[0] in TYPES[family]


def read_columns(connection: duckdb.DuckDBPyConnection, schemas: set[str]) -> dict[tuple[str, str], Columns]:
    """Return the columns and DuckDB types of every table of `schemas` of the lake, by schema and table."""
    listed = ", ".join(f"'{schema}'" for schema in sorted(schemas))
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, column, kind in connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        f"where database_name = 'lake' and schema_name in ({listed})"
    ).fetchall():
        found.setdefault((schema, table), {})[column] = kind
    return dict(found)


def newest_batches(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the newest ``_batch`` of each raw table that ever had a row, from the lake's column statistics.

    Opening a table costs 20 ms even when it has nothing to tell. (File counts would not do: the lake keeps the rows of
    a small insert in its catalog.)
    """
    found = connection.execute("""
        select t.table_name, s.max_value::bigint
        from __ducklake_metadata_lake.ducklake_table_column_stats s
        join __ducklake_metadata_lake.ducklake_column c using (table_id, column_id)
        join __ducklake_metadata_lake.ducklake_table t using (table_id)
        join __ducklake_metadata_lake.ducklake_schema n using (schema_id)
        where c.column_name = '_batch' and n.schema_name = 'raw' and s.max_value is not null
          and c.end_snapshot is null and t.end_snapshot is null and n.end_snapshot is null
    """).fetchall()
    return {table: int(batch) for table, batch in found}
