"""Which mapped rows the CRM cannot take: faulty ones, repeated keys, and rows that belong to nobody.

``rejected.<table>`` names them by their number in ``mapped.<table>``, with rule and reason; ``accepted.<table>`` is a view
of the rest. Tables are checked after those that they belong to, so that the items of a rejected order are rejected too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from crm_agents.loading import duck
from crm_agents.loading.mapping import MappedTable
from crm_agents.loading.rules import owners_of

if TYPE_CHECKING:
    import duckdb


def check_table(connection: duckdb.DuckDBPyConnection, mapped: MappedTable, filled: Sequence[str]) -> MappedTable:
    """Fill ``rejected.<table>`` and make the view ``accepted.<table>``.

    Parameters
    ----------
    filled : sequence of str
        Tables checked before this one for which the load has rows; a company without orders is not asked whose its
        payments are.

    Returns
    -------
    MappedTable
        With the number of rejected rows.
    """
    table = mapped.table
    rejected, source = f"rejected.{duck.name(table.name)}", f"mapped.{duck.name(table.name)}"
    connection.execute(
        f"create table {rejected} as "
        f"select rowid as _mapped, _rule as _rule, _reason as _reason from {source} where _rule is not null"
    )
    connection.execute(f"insert into {rejected} {_repeated_keys(mapped)}")
    for column, owner in owners_of(table.name).items():
        if owner in filled and column in mapped.columns:
            connection.execute(f"insert into {rejected} {_without_owner(mapped, column, owner)}")
    count = int(duck.value(connection, f"select count(*) from {rejected}"))
    kept = f"anti join {rejected} r on m.rowid = r._mapped" if count else ""
    connection.execute(
        f"create view accepted.{duck.name(table.name)} as select m.*, m.rowid as _mapped from {source} m {kept}"
    )
    return replace(mapped, rejected=count)


def _repeated_keys(mapped: MappedTable) -> str:
    """Return the SELECT of rows whose key an earlier row has; only rows of repeated keys are sorted."""
    key = duck.names(mapped.table.key)
    source = f"mapped.{duck.name(mapped.table.name)}"
    return f"""
        with candidates as (
            select m.*, m.rowid as _mapped, f.source as _source from {source} m
            semi join (
                select {key} from {source} where _rule is null group by {key} having count(*) > 1
            ) k using ({key})
            join staged.files f on f.source_file = m._source_file
            where m._rule is null
        ),
        placed as (
            select *, row_number() over earlier as _place,
                   first_value(_source) over earlier as _first_source, first_value(_row) over earlier as _first_row
            from candidates
            window earlier as (partition by {key} order by _row, _source, _mapped)
        )
        select m._mapped, 'repeats a key',
               {_shown_key(mapped)} || ' is already in ''row ' || (m._first_row - f.rows_before) || ' of '
               || f.source_file || ''''
        from placed m
        join staged.files f
            on f.source = m._first_source and m._first_row > f.rows_before and m._first_row <= f.rows_before + f.rows
        where m._place > 1"""


def _without_owner(mapped: MappedTable, column: str, owner: str) -> str:
    """Return the SELECT of rows whose `column` names somebody or something that is not among the accepted `owner`."""
    table = duck.name(mapped.table.name)
    return f"""
        select m.rowid, '{column} is not among the {owner}',
               {_shown_key(mapped)} || ' names {column} ''' || m.{duck.name(column)}
               || ''', which is not among the {owner}'
        from mapped.{table} m
        anti join accepted.{duck.name(owner)} o on m.{duck.name(column)} = o.{duck.name(column)}
        where m._rule is null and m.{duck.name(column)} is not null
          and m.rowid not in (select _mapped from rejected.{table})"""


def _shown_key(mapped: MappedTable) -> str:
    """Return SQL that writes the key of row `m`, for example ``order_id 'o1'``."""
    shown = " || ', ' || ".join(f"m.{duck.name(column)}::varchar" for column in mapped.table.key)
    return f"'{', '.join(mapped.table.key)} ''' || {shown} || ''''"
