"""Every source row is accounted for: used, or in quarantine with a reason.

The rows of a file are counted as bits, one per row: a set of twenty million rows takes 2.5 MB, and rows that fed several
tables are united by OR. Relations carry ``_row`` within the source (`sources`); here it becomes the place in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_agents.loading import duck
from crm_agents.loading.mapping import MappedTable
from crm_agents.loading.report import FileCounts, Reason
from crm_agents.loading.sources import StagedFile

if TYPE_CHECKING:
    import duckdb

# What stands for the table in the counts of a whole file, and in quarantine for rows that reached no table
WHOLE_FILE = "(whole file)"
NO_TABLE = "(no table)"

DDL = """
create table accounting.bits (table_name varchar, source_file varchar, known bit, used bit);
create table accounting.counts (
    table_name varchar, source_file varchar, rows_read bigint, rows_used bigint, rows_quarantined bigint
);
create table accounting.quarantine (
    table_name varchar, source varchar, source_file varchar, _row bigint, rule varchar, reason varchar
)
"""


def account(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[StagedFile], tables: Sequence[MappedTable]
) -> list[FileCounts]:
    """Count every file and collect ``accounting.quarantine`` and ``accounting.counts``.

    Returns
    -------
    list of FileCounts
        One per file, in the order of `staged`.
    """
    connection.execute(DDL)
    for table in tables:
        _quarantine_rejected(connection, table)
    return [_account_file(connection, part, tables) for part in staged]


def reasons(connection: duckdb.DuckDBPyConnection) -> list[Reason]:
    """Return why rows were quarantined, the commonest reason first."""
    found = duck.rows(
        connection,
        """select table_name, rule, count(*) as n, arg_min(source_file || ' row ' || _row, (source_file, _row))
        from accounting.quarantine group by table_name, rule order by n desc, table_name, rule""",
    )
    return [Reason(*row) for row in found]


def _source_rows(table: MappedTable, relation: str) -> str:
    """Return the SELECT of (source, _row, _mapped), one row per source row that a mapped row names."""
    row = "unnest(_rows)" if table.has_many_rows else "_row"
    return f"""(select f.source, m._row, m._mapped from (select _source_file, {row} as _row, _mapped from {relation}) m
        join staged.files f on f.source_file = m._source_file)"""


def _quarantine_rejected(connection: duckdb.DuckDBPyConnection, table: MappedTable) -> None:
    name = duck.name(table.table.name)
    mapped = f"(select m.*, m.rowid as _mapped from mapped.{name} m semi join rejected.{name} r on m.rowid = r._mapped)"
    connection.execute(
        f"""insert into accounting.quarantine
        select {duck.text(table.table.name)}, f.source, f.source_file, m._row - f.rows_before,
               arg_min(r._rule, r._mapped), arg_min(r._reason, r._mapped)
        from {_source_rows(table, mapped)} m
        join rejected.{name} r using (_mapped)
        join staged.files f on f.source = m.source and m._row > f.rows_before and m._row <= f.rows_before + f.rows
        group by all"""
    )


def _account_file(connection: duckdb.DuckDBPyConnection, part: StagedFile, tables: Sequence[MappedTable]) -> FileCounts:
    """Mark which rows of the file are known and used, quarantine those that no table asked for, and count."""
    if not part.rows:
        return FileCounts(part.file.label, 0, 0)
    for table in tables:
        if part.file.source.name in table.sources:
            name = duck.name(table.table.name)
            mapped = _source_rows(table, f"(select m.*, m.rowid as _mapped from mapped.{name} m)")
            used = _source_rows(table, f"accepted.{name}") if table.rejected else mapped
            _mark(connection, part, mapped, used, table.table.name)
    _settle_malformed(connection, part)
    source = duck.text(part.file.source.name)
    if part.file.source.lookup:
        everything = f"(select {source} as source, _row from main.{duck.name(part.file.source.name)})"
        _mark(connection, part, everything, everything)
    repeated = _settle_repeated(connection, part) if part.rows_before else 0
    _quarantine_unknown(connection, part)
    return _count(connection, part, repeated)


def _count(connection: duckdb.DuckDBPyConnection, part: StagedFile, repeated: int) -> FileCounts:
    label = duck.text(part.file.label)
    used = duck.value(
        connection, f"select coalesce(bit_count(bit_or(used)), 0) from accounting.bits where source_file = {label}"
    )
    connection.execute(
        f"""insert into accounting.counts
        select table_name, source_file, bit_count(known), bit_count(used), bit_count(known) - bit_count(used)
        from accounting.bits where source_file = {label} and table_name is not null
        union all
        select '{WHOLE_FILE}', {label}, {part.rows}, {used}, {part.rows - used}"""
    )
    return FileCounts(part.file.label, part.rows, used, repeated)


def _mark(
    connection: duckdb.DuckDBPyConnection, part: StagedFile, known: str, used: str | None, table: str | None = None
) -> None:
    """Add the file's rows in relation `known`, and of them those in `used` (None: none), to ``accounting.bits``."""
    first, last = part.rows_before + 1, part.rows_before + part.rows
    bits = f"bitstring_agg(_row, {first}::bigint, {last}::bigint)"
    here = f"source = {duck.text(part.file.source.name)} and _row between {first} and {last}"
    used_bits = f"(select {bits} from {used} where {here})"
    if used in (known, None):
        used_bits = "known" if used else "null"
    connection.execute(
        f"""insert into accounting.bits
        select {duck.text(table) if table else "null"}, {duck.text(part.file.label)}, known,
               coalesce({used_bits}, bitstring('0', {part.rows}))
        from (select {bits} as known from {known} where {here})
        where known is not null"""
    )


def _settle_malformed(connection: duckdb.DuckDBPyConnection, part: StagedFile) -> None:
    if not part.malformed:
        return
    lines = f"from malformed.lines where source_file = {duck.text(part.file.label)}"
    connection.execute(
        f"""insert into accounting.quarantine
        select '{NO_TABLE}', source, source_file, _row, 'the line ' || rule, 'the line ' || rule {lines}"""
    )
    _mark(connection, part, f"(select source, _row + {part.rows_before} as _row {lines})", None)


def _settle_repeated(connection: duckdb.DuckDBPyConnection, part: StagedFile) -> int:
    """Settle rows that an earlier folder has: equal ones share its row's fate, differing ones go to quarantine."""
    source = part.file.source.name
    fates = f"""(
        select {duck.text(source)} as source, d._row, d.differing = '' as is_equal, d.differing,
               '''row ' || (d.first_row - f.rows_before) || ' of ' || f.source_file || '''' as first_place,
               coalesce(get_bit(b.used, (d.first_row - f.rows_before - 1)::integer) = 1, false) as is_used
        from dropped.{duck.name(source)} d
        join staged.files f on f.source_file = d.first_file
        left join (select source_file, bit_or(used) as used from accounting.bits group by source_file) b
            on b.source_file = d.first_file
        where d._source_file = {duck.text(part.file.label)}
    )"""
    connection.execute(
        f"""insert into accounting.quarantine
        select '{NO_TABLE}', source, {duck.text(part.file.label)}, _row - {part.rows_before},
               case when is_equal then 'equals a quarantined row of an earlier folder'
                    else 'differs from the row with the same key in an earlier folder' end,
               case when is_equal then 'equals ' || first_place || ', which is in quarantine'
                    else differing || ' differs from ' || first_place || ', which comes first' end
        from {fates} where not (is_equal and is_used)"""
    )
    _mark(connection, part, fates, f"(from {fates} where is_equal and is_used)")
    return int(duck.value(connection, f"select count(*) from {fates} where is_equal"))


def _quarantine_unknown(connection: duckdb.DuckDBPyConnection, part: StagedFile) -> None:
    """Quarantine the rows that no mapping returned: a WHERE or an inner join loses nothing."""
    label = duck.text(part.file.label)
    bits = f"(select bit_or(known) as known from accounting.bits where source_file = {label})"
    if duck.value(connection, f"select coalesce(bit_count(known), 0) from {bits}") == part.rows:
        return
    source, rule = part.file.source.name, "no table of the mapping takes it"
    connection.execute(
        f"""insert into accounting.quarantine
        select '{NO_TABLE}', {duck.text(source)}, {label}, s._row - {part.rows_before}, '{rule}', '{rule}'
        from staged.{duck.name(source)} s, {bits} b
        where s._source_file = {label}
          and coalesce(get_bit(b.known, (s._row - {part.rows_before} - 1)::integer), 0) = 0"""
    )
