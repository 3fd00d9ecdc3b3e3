"""The mapping: one SELECT per CRM table over the source relations, its columns read as the CRM's types.

Each table becomes ``mapped.<table>``: the CRM columns, ``_source_file``, ``_row``, ``_rows`` (only where the mapping
names several source rows), and ``_rule`` and ``_reason`` where the row cannot be used.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from crm_agents.crm_schema import CrmTable, crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import casts, duck
from crm_agents.loading.files import nearest
from crm_agents.loading.rules import JSON_COLUMNS, moment_columns
from crm_agents.loading.verdict import verdict_sql

if TYPE_CHECKING:
    import duckdb

BOOKKEEPING = ("_source_file", "_row", "_reject")


@dataclass(frozen=True)
class MappedTable:
    """A CRM table that a mapping fills.

    `columns` are those that it gives, `extra` those of them beyond the schema, `sources` where its rows are from;
    `rejected` rows cannot be used (known once `checks.check_table` has been there).
    """

    table: CrmTable
    columns: tuple[str, ...]
    extra: tuple[str, ...]
    has_many_rows: bool
    rows: int
    sources: tuple[str, ...]
    rejected: int = 0


def find_mappings(folder: Path) -> dict[str, Path]:
    """Return the SQL file of each CRM table that the company fills.

    Raises
    ------
    CrmAgentsError
        When there is none, or one is named after no CRM table.
    """
    known = crm_tables()
    found = {path.stem: path for path in sorted(folder.glob("*.sql"))}
    for table, path in found.items():
        if table not in known:
            nearest = difflib.get_close_matches(table, known, n=1)
            hint = f" (did you mean {nearest[0]}.sql?)" if nearest else ""
            raise CrmAgentsError(
                f"{path}: the CRM has no table {table!r}{hint}.", f"Its tables are {', '.join(known)}."
            )
    if not found:
        raise CrmAgentsError(
            f"{folder} holds no SQL file.", "Add one per CRM table, as examples/companies/README.md shows."
        )
    return found


def map_table(connection: duckdb.DuckDBPyConnection, table: CrmTable, path: Path, last_event_on: date) -> MappedTable:
    """Run one mapping into ``mapped.<table>``.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Whose default schema holds the source relations.
    path : Path
        The SQL file.
    last_event_on : date
        Last day on which anything can have happened at this company.

    Raises
    ------
    CrmAgentsError
        With the file and DuckDB's message when the SQL fails, or when it lacks what every mapping returns.
    """
    import duckdb

    view = f"select_{table.name}"
    try:
        connection.execute(f"create temp view {duck.name(view)} as\n{_single_select(connection, path)}")
        given = {row[0]: row[1] for row in duck.rows(connection, f"describe {duck.name(view)}")}
        columns = _match_columns(table, given, path)
        connection.execute(_mapped_sql(table, view, given, columns, last_event_on))
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
        raise CrmAgentsError(
            f"{path}: {duck.message(error)}{_hint(connection, error)}.",
            "Mend the SQL; where a cast failed, leave the column as text or TRY_CAST it.",
        ) from error
    mapped = f"mapped.{duck.name(table.name)}"
    _check_places(connection, mapped, path)
    rows = int(duck.value(connection, f"select count(*) from {mapped}"))
    extra = tuple(column for column in columns.values() if column not in table.columns)
    sources = duck.rows(
        connection,
        f"select distinct source from staged.files where source_file in (select distinct _source_file from {mapped})",
    )
    names = tuple(sorted(row[0] for row in sources))
    return MappedTable(table, tuple(columns.values()), extra, _is_list(given, "_row"), rows, names)


def _check_places(connection: duckdb.DuckDBPyConnection, mapped: str, path: Path) -> None:
    """Refuse rows that do not say which source row they are from: they could not be accounted for."""
    homeless = duck.value(
        connection,
        f"""select count(*) from {mapped} m
        left join (select source_file, sum(rows) over (partition by source) as rows from staged.files) f
            on f.source_file = m._source_file
        where m._row is null or f.rows is null or m._row not between 1 and f.rows""",
    )
    if homeless:
        raise CrmAgentsError(
            f"{path}: {homeless:,} of its rows do not have the _source_file and _row of a source row.",
            "Take both from the source row that the CRM row comes from.",
        )


def _hint(connection: duckdb.DuckDBPyConnection, error: Exception) -> str:
    """Return where a column that the SQL looked for in vain may be found, and which relations there are."""
    missing = re.search(r'column "([^"]+)" not found', str(error))
    present = duck.rows(
        connection,
        "select table_name, column_name from duckdb_columns() where database_name = 'work' and schema_name = 'main'",
    )
    columns = {column: table for table, column in present if not column.startswith("_")}
    near = nearest(missing.group(1), list(columns)) if missing else None
    if near:
        return f' (the nearest column is "{near}" of source {columns[near]})'
    if "Catalog Error: Table" in str(error):
        return f" (the sources are {', '.join(sorted({table for table, _ in present}))})"
    return ""


def _single_select(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    try:
        sql = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CrmAgentsError(f"{path} cannot be read: {error}.", "It must be a text file in utf-8.") from error
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        raise CrmAgentsError(f"{path} is not one SELECT.", "A mapping is a single query; use WITH for steps.")
    return statements[0].query.strip().rstrip(";")


def _match_columns(table: CrmTable, given: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return mapping column -> CRM column (its own lower-case name when the schema does not have it)."""
    lowered = {column.lower() for column in given}
    missing = [column for column in (*table.key, "_source_file", "_row") if column not in lowered]
    if missing:
        raise CrmAgentsError(
            f"{path} returns no column {', '.join(missing)}.",
            f"A mapping of {table.name} returns at least {', '.join(table.key)}, _source_file and _row.",
        )
    columns = {column: column.lower() for column in given if column.lower() not in BOOKKEEPING}
    for column in columns.values():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", column):
            raise CrmAgentsError(
                f"{path} returns a column {column!r}.",
                "Call it in letters, digits and underscores, beginning with a letter.",
            )
    return columns


def _is_list(given: Mapping[str, str], column: str) -> bool:
    return next(kind for name, kind in given.items() if name.lower() == column).endswith("[]")


def _mapped_sql(
    table: CrmTable, view: str, given: Mapping[str, str], columns: Mapping[str, str], last_event_on: date
) -> str:
    """Return the CREATE TABLE of ``mapped.<table>``: blanks to NULL, then the types, then the verdict on each row."""
    wanted = {column: lake_type(table, column) for column in columns.values()}
    raw = {column: duck.name(f"{column} as given") for column in columns.values()}
    read = {column: duck.name(column) for column in columns.values()}
    kinds = {columns[source]: kind for source, kind in given.items() if source in columns}
    clean_sql = ", ".join(
        f"{casts.cleaned(duck.name(source), given[source], wanted[column])} as {raw[column]}"
        for source, column in columns.items()
    )
    read_sql = ", ".join(
        f"{casts.read_as(raw[column], kinds[column], wanted[column])} as {read[column]}" for column in wanted
    )
    kept = [column for column in wanted if column != "updated_at"]
    many = _is_list(given, "_row")
    rows_sql = "list_min(_row)::bigint as _row, _row::bigint[] as _rows" if many else "_row::bigint as _row"
    reject = "_reject::varchar" if any(column.lower() == "_reject" for column in given) else "null::varchar"
    return f"""create table mapped.{duck.name(table.name)} as
        select * exclude (_verdict), _verdict.rule as _rule, _verdict.reason as _reason
        from (
            select {duck.names(kept)}, {_updated_at(table, wanted)} as updated_at, _source_file,
                   {"_row, _rows" if many else "_row"}, {verdict_sql(table, wanted, raw, last_event_on)} as _verdict
            from (
                select *, {read_sql}
                from (select {clean_sql}, _source_file, {rows_sql}, {reject} as _reject from {duck.name(view)})
            )
        )"""


def lake_type(table: CrmTable, column: str) -> str:
    """Return the type that `column` is read as; columns beyond the schema are kept as text."""
    return "JSON" if (table.name, column) in JSON_COLUMNS else table.columns.get(column, "VARCHAR")


def _updated_at(table: CrmTable, wanted: Mapping[str, str]) -> str:
    """Return SQL for the row's newest event: what the mapping says, else the newest of its own moments."""
    moments = [column for column in moment_columns(table) if column in wanted]
    newest = f"greatest({duck.names(moments)})" if len(moments) > 1 else duck.names(moments)
    said = duck.name("updated_at") if "updated_at" in wanted else ""
    options = [option for option in (said, newest) if option]
    return f"coalesce({', '.join(options)}, null::timestamptz)" if options else "null::timestamptz"
