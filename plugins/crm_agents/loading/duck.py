"""Small words for the SQL that the loader writes for DuckDB.

Values stand in it as literals: DuckDB's query parameters import pandas, which takes longer than many a load.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def name(identifier: str) -> str:
    """Return `identifier` as SQL writes it."""
    return '"' + identifier.replace('"', '""') + '"'


def names(identifiers: Iterable[str], prefix: str = "") -> str:
    """Return a comma-separated list of columns, each with `prefix` (for example ``"m."``)."""
    return ", ".join(prefix + name(identifier) for identifier in identifiers)


def text(value: str) -> str:
    """Return `value` as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:
    """Run `sql` and return all of its rows."""
    return connection.execute(sql).fetchall()


def value(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """Run `sql` and return the first column of its only row."""
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def message(error: Exception) -> str:
    """Return what DuckDB said as one sentence without the picture of the place: its kind, the fault, the candidates."""
    lines = str(error).strip().splitlines()
    picture = next((number for number, line in enumerate(lines) if line.startswith("LINE ")), len(lines))
    place = [lines[picture].split(":", 1)[0].lower()] if picture < len(lines) else []
    said = " ".join(line.strip() for line in lines[:picture] if line.strip())
    return ", ".join([said.rstrip(".!"), *place])
