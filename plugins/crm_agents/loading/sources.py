"""Source files as DuckDB relations: every column text, each row with the name of its file and its place in it.

A csv becomes one Parquet file in the spill folder (read once, however many tables it feeds); a Parquet file is read where
it lies. ``_row`` counts on from folder to folder, so that a mapping which unites rows of two folders still names each of
them; ``staged.files`` says where each file begins. Schemas of the work database: ``staged`` has all rows of a source,
``main`` those that mappings see, ``dropped`` the rows of a later folder that an earlier one has already, ``malformed`` the
csv lines that do not fit their header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crm_agents.company_settings import Source
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import duck
from crm_agents.loading.files import SourceFile, check_columns, read_header, unpacked, wrong_encoding

if TYPE_CHECKING:
    import duckdb

DDL = """
create table staged.files (source varchar, source_file varchar, rows_before bigint, rows bigint);
create table malformed.lines (source varchar, source_file varchar, _row bigint, line varchar, rule varchar)
"""
# Lines with these faults are quarantined; any other fault of a csv concerns the whole file
_LINE_FAULTS = {"MISSING COLUMNS": "has too few columns", "TOO MANY COLUMNS": "has too many columns"}


@dataclass(frozen=True)
class StagedFile:
    """A source file that DuckDB can read as Parquet.

    `rows` counts all of its data rows, malformed ones too; `rows_before` those of the source in earlier folders.
    """

    file: SourceFile
    parquet: Path
    columns: tuple[str, ...]
    rows: int
    malformed: int
    rows_before: int


def stage(
    connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], source: Source, spill: Path
) -> list[StagedFile]:
    """Make the relation of one source.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Whose default database is the load's work database.
    files : sequence of SourceFile
        The source's file in each data folder; none when an optional file is absent.
    spill : Path
        Folder for what is unpacked and converted.

    Raises
    ------
    CrmAgentsError
        When a file cannot be read as company.yml says.
    """
    staged: list[StagedFile] = []
    for file in files:
        staged.append(_stage_file(connection, file, spill, sum(part.rows for part in staged)))
    if not staged:
        columns = ", ".join(f"{duck.name(column)} varchar" for column in source.columns)
        for schema in ("staged", "main"):
            connection.execute(
                f"create table {schema}.{duck.name(source.name)} ({columns}, _source_file varchar, _row bigint)"
            )
        return []
    name = duck.name(source.name)
    connection.execute(f"create view staged.{name} as {' union all by name '.join(_select(part) for part in staged)}")
    if len(staged) > 1:
        _unite(connection, source, staged)
    else:
        connection.execute(f"create view main.{name} as from staged.{name}")
    return staged


def _stage_file(connection: duckdb.DuckDBPyConnection, file: SourceFile, spill: Path, rows_before: int) -> StagedFile:
    import duckdb

    path = unpacked(file, spill)
    malformed = 0
    try:
        if path.suffix == ".parquet":
            parquet = path
        else:
            parquet = spill / f"{file.source.name}_{file.order}.parquet"
            malformed = _convert_csv(connection, file, path, parquet)
        described = duck.rows(connection, f"describe select * from {_parquet(parquet)}")
        rows = duck.value(connection, f"select count(*) from {_parquet(parquet)}")
    except duckdb.Error as error:
        raise CrmAgentsError(
            f"{file.path} cannot be read: {duck.message(error)}.", "Export or copy it again."
        ) from error
    columns = tuple(row[0] for row in described)
    check_columns(file, columns)
    connection.execute(
        f"insert into staged.files values "
        f"({duck.text(file.source.name)}, {duck.text(file.label)}, {rows_before}, {rows + malformed})"
    )
    return StagedFile(file, parquet, columns, rows + malformed, malformed, rows_before)


def _convert_csv(connection: duckdb.DuckDBPyConnection, file: SourceFile, path: Path, parquet: Path) -> int:
    """Write the csv as Parquet in its own order; return how many lines do not fit the header."""
    header, new_line = read_header(file, path)
    check_columns(file, header)
    columns = ", ".join(f"{duck.text(column)}: 'VARCHAR'" for column in header)
    line_end = f", new_line = '{new_line}'" if new_line else ""
    connection.execute("drop table if exists reject_errors; drop table if exists reject_scans")
    connection.execute("set preserve_insertion_order = true")
    connection.execute(
        f"copy (from read_csv({duck.text(str(path))}, auto_detect = false, header = true, columns = {{{columns}}}, "
        f"delim = {duck.text(file.source.delimiter)}, quote = '\"', escape = '\"', encoding = '{file.source.encoding}', "
        f"store_rejects = true, hive_partitioning = false{line_end})) to {duck.text(str(parquet))} (format parquet)"
    )
    connection.execute("set preserve_insertion_order = false")
    return _keep_malformed(connection, file)


def _keep_malformed(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> int:
    fatal = connection.execute(
        "select line, error_type, error_message from reject_errors where error_type not in ('MISSING COLUMNS', "
        "'TOO MANY COLUMNS') and not (error_type = 'UNQUOTED VALUE' and instr(csv_line, chr(10)) = 0) order by line limit 1"
    ).fetchone()
    if fatal and fatal[1] == "INVALID ENCODING":
        raise wrong_encoding(file, f"line {fatal[0]} does not decode")
    if fatal:
        raise CrmAgentsError(
            f"{file.path}, line {fatal[0]}: {str(fatal[2]).rstrip('.')}.", "Mend the quotes of that line in the file."
        )
    faults = " ".join(f"when {duck.text(kind)} then {duck.text(rule)}" for kind, rule in _LINE_FAULTS.items())
    # line 1 is the header, so the first data row stands in line 2
    connection.execute(
        f"""insert into malformed.lines
        select {duck.text(file.source.name)}, {duck.text(file.label)}, line - 1, any_value(csv_line),
               any_value(case error_type {faults} else 'has a quote within a quoted value' end)
        from reject_errors group by line""",
    )
    return int(duck.value(connection, "select count(distinct line) from reject_errors"))


def _select(part: StagedFile) -> str:
    """Return the SELECT of one file's rows; malformed lines before a row count for its place."""
    columns = ", ".join(f"cast({duck.name(column)} as varchar) as {duck.name(column)}" for column in part.columns)
    place = f"file_row_number + {part.rows_before + 1}"
    joined = ""
    if part.malformed:
        place += " + coalesce(m.lines_before, 0)"
        joined = f"""asof left join (
            select _row - number as rows_before, max(number) as lines_before
            from (
                select _row, row_number() over (order by _row) as number
                from malformed.lines where source_file = {duck.text(part.file.label)}
            )
            group by all
        ) m on file_row_number + 1 > m.rows_before"""
    return (
        f"select {columns}, {duck.text(part.file.label)} as _source_file, {place} as _row "
        f"from {_parquet(part.parquet, 'file_row_number = true')} {joined}"
    )


def _parquet(path: Path, *options: str) -> str:
    """Return the relation of one Parquet file; a folder called ``year=2024`` adds no column to it."""
    return f"read_parquet({', '.join([duck.text(str(path)), 'hive_partitioning = false', *options])})"


def _unite(connection: duckdb.DuckDBPyConnection, source: Source, staged: Sequence[StagedFile]) -> None:
    """Let the first folder win: rows of later folders with a key that it has are dropped, as equal or as differing."""
    name = duck.name(source.name)
    shared = [column for column in staged[0].columns if all(_has(part, column) for part in staged[1:])]
    compared = [
        column for column in (source.columns or shared) if column.casefold() not in {k.casefold() for k in source.key}
    ]
    differing = ", ".join(
        f"case when l.{duck.name(column)} is distinct from f.{duck.name(column)} then {duck.text(column)} end"
        for column in compared
    )
    connection.execute(
        f"""create table dropped.{name} as
        with firsts as (
            select * from staged.{name}
            qualify row_number() over (partition by {duck.names(source.key)} order by _row) = 1
        )
        select l._source_file, l._row, f._source_file as first_file, f._row as first_row,
               concat_ws(', ', {differing or "null"}) as differing
        from staged.{name} l
        join firsts f on {" and ".join(f"l.{duck.name(key)} = f.{duck.name(key)}" for key in source.key)}
        where l._row > f._row and l._source_file <> f._source_file"""
    )
    connection.execute(
        f"create view main.{name} as select s.* from staged.{name} s anti join dropped.{name} d using (_row)"
    )


def _has(part: StagedFile, column: str) -> bool:
    return column.casefold() in {present.casefold() for present in part.columns}
