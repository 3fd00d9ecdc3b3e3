"""Which mapped rows the CRM cannot take: faulty ones, repeated keys, and rows that belong to nobody.

``rejected.<table>`` names them by their number in ``mapped.<table>``, with rule and reason; ``accepted.<table>`` is a view
of the rest. Tables are checked after those that they belong to, so that the items of a rejected order are rejected too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crm_agents.loading import duck
from crm_agents.loading.mapping import MappedTable
from crm_agents.loading.rules import owners_of

if TYPE_CHECKING:
    import duckdb


def check_table(
    connection: duckdb.DuckDBPyConnection, mapped: MappedTable, filled: Sequence[str], files: Sequence[str]
) -> int:
    """Fill ``rejected.<table>`` and make the view ``accepted.<table>``.

    Parameters
    ----------
    mapped : MappedTable
        The table; `filled` tables were checked before it.
    filled : sequence of str
        CRM tables for which this load has rows; a company without orders is not asked whose payments it has.
    files : sequence of str
        Labels of all source files, in the order in which the first row with a key wins.

    Returns
    -------
    int
        Number of rejected rows.
    """
    table = mapped.table
    rejected, source = f"rejected.{duck.name(table.name)}", f"mapped.{duck.name(table.name)}"
    connection.execute(
        f"create table {rejected} as "
        f"select rowid as _mapped, _rule as _rule, _reason as _reason from {source} where _rule is not null"
    )
    connection.execute(f"insert into {rejected} {_repeated_keys(mapped, files)}")
    for column, owner in owners_of(table.name).items():
        if owner in filled and column in mapped.columns:
            connection.execute(f"insert into {rejected} {_without_owner(mapped, column, owner)}")
    count = int(duck.value(connection, f"select count(*) from {rejected}"))
    kept = f"anti join {rejected} r on m.rowid = r._mapped" if count else ""
    connection.execute(
        f"create view accepted.{duck.name(table.name)} as select m.*, m.rowid as _mapped from {source} m {kept}"
    )
    return count


def _repeated_keys(mapped: MappedTable, files: Sequence[str]) -> str:
    """Return the SELECT of rows whose key an earlier row has; only rows of repeated keys are sorted."""
    table, key = mapped.table, duck.names(mapped.table.key)
    source = f"mapped.{duck.name(table.name)}"
    labels = ", ".join(duck.text(label) for label in files)
    shown = " || ', ' || ".join(f"m.{duck.name(column)}::varchar" for column in table.key)
    place = f"list_position([{labels}], _source_file), _row, _mapped"
    return f"""
        with candidates as (
            select m.*, m.rowid as _mapped from {source} m
            semi join (
                select {key} from {source} where _rule is null group by {key} having count(*) > 1
            ) k using ({key})
            where m._rule is null
        )
        select _mapped, 'repeats a key',
               '{", ".join(table.key)} ''' || {shown} || ''' is already in ''row '
               || first_value(_row) over (partition by {key} order by {place}) || ' of '
               || first_value(_source_file) over (partition by {key} order by {place}) || ''''
        from candidates m
        qualify row_number() over (partition by {key} order by {place}) > 1"""


def _without_owner(mapped: MappedTable, column: str, owner: str) -> str:
    table = mapped.table
    owner_key = f"{column}"
    shown = " || ', ' || ".join(f"m.{duck.name(part)}::varchar" for part in table.key)
    return f"""
        select m.rowid, '{column} is not among the {owner}',
               '{", ".join(table.key)} ''' || {shown} || ''' names {column} ''' || m.{duck.name(column)}
               || ''', which is not among the {owner}'
        from mapped.{duck.name(table.name)} m
        anti join accepted.{duck.name(owner)} o on m.{duck.name(column)} = o.{duck.name(owner_key)}
        where m._rule is null and m.{duck.name(column)} is not null
          and m.rowid not in (select _mapped from rejected.{duck.name(table.name)})"""
