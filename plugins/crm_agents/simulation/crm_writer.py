"""A simulated day's rows into the CRM: one transaction, by COPY, without effect when it is repeated."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.crm_schema import crm_tables
from crm_agents.loading.rules import owners_first

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from crm_agents.simulator.forward import Changes

# What the mapping of the simulated company adds to its export files.
CONSTANTS = {
    "orders": {"currency": "EUR"},
    "opportunities": {"currency": "EUR"},
    "order_items": {"is_duplicate": "false"},
}


def write(changes: Changes) -> int:
    """Write a day into schema ``crm`` and return how many rows that touched.

    A row that is there already is not inserted again, and a change that was made already is not made again.
    """
    touched = 0
    with postgres.connect() as crm, crm.cursor() as cursor:
        for name in owners_first():
            if name in changes.inserts:
                touched += _insert(cursor, name, changes.inserts[name])
        for name in owners_first():
            if name in changes.updates:
                touched += _update(cursor, name, changes.updates[name])
    return touched


def _insert(cursor: psycopg.Cursor, name: str, rows: pa.Table) -> int:
    columns = ", ".join(_stage(cursor, name, rows))
    added = CONSTANTS.get(name, {})
    more = "".join(f", {column}" for column in added)
    values = "".join(f", '{value}'" for value in added.values())
    cursor.execute(
        f"insert into crm.{name} ({columns}{more}) select {columns}{values} from staged on conflict do nothing"
    )
    return cursor.rowcount


def _update(cursor: psycopg.Cursor, name: str, rows: pa.Table) -> int:
    columns, key = _stage(cursor, name, rows), crm_tables()[name].key
    changed = ", ".join(f"{column} = s.{column}" for column in columns if column not in key)
    same_row = " and ".join(f"t.{column} = s.{column}" for column in key)
    cursor.execute(f"update crm.{name} t set {changed} from staged s where {same_row} and t.updated_at <> s.updated_at")
    return cursor.rowcount


def _stage(cursor: psycopg.Cursor, name: str, rows: pa.Table) -> list[str]:
    """Copy `rows` into the temporary table ``staged``, with the types of the CRM's columns; return the columns."""
    from pyarrow import csv

    columns = rows.column_names
    listed = ", ".join(columns)
    cursor.execute("drop table if exists pg_temp.staged")
    cursor.execute(f"create temp table staged on commit drop as select {listed} from crm.{name} limit 0")
    text = io.BytesIO()
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False))
    with cursor.copy(f"copy staged ({listed}) from stdin (format csv)") as copy:
        copy.write(text.getvalue())
    return columns
