"""``crm-agents query``: read the CRM, what the agents wrote, and the lake."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from crm_agents.cli.console import err, examples, out
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, load_settings

BATCH_ROWS = 10_000
TABLE_ROWS = 200


class Store(StrEnum):
    """Where a query runs."""

    CRM = "crm"
    LAKE = "lake"


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True)
class Result:
    """Column names, and the rows in batches."""

    columns: list[str]
    batches: Iterator[Sequence[tuple[Any, ...]]]


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(
        epilog=examples(
            'crm-agents query "select * from crm_ai.scores order by value desc limit 10"',
            'crm-agents query "select status, count(*) from marts.fct_orders group by all" --on lake',
            'crm-agents query "select * from crm.customers" --format csv > customers.csv',
        )
    )(query)


def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement that reads.")],
    on: Annotated[
        Store, typer.Option(help="crm: the CRM and what agents wrote (PostgreSQL). lake: raw to predictions (DuckDB).")
    ] = Store.CRM,
    format: Annotated[Format, typer.Option(help="table shows the first rows, csv and json all.")] = Format.TABLE,
) -> None:
    """Run one reading SQL statement; nothing can be changed with it.

    On crm the schemas are crm, crm_ai and bi; on lake raw, staging, intermediate, marts, features and predictions.
    """
    settings = load_settings()
    with _on_crm(sql, settings) if on is Store.CRM else _on_lake(sql, settings) as result:
        PRINTERS[format](result)


@contextmanager
def _on_crm(sql: str, settings: Settings) -> Iterator[Result]:
    import psycopg

    from crm_agents import postgres

    with closing(postgres.connect("crm", settings=settings)) as connection:
        connection.read_only = True
        try:
            # Prepared, because the server refuses to prepare two statements at once: none can end the transaction.
            cursor = connection.execute(sql.encode(), prepare=True)
            yield Result(_columns(cursor.description), _batches(cursor))
        except psycopg.Error as error:
            raise _refused(error) from error


@contextmanager
def _on_lake(sql: str, settings: Settings) -> Iterator[Result]:
    import duckdb

    from crm_agents import lake

    with lake.open_duckdb(settings) as connection:
        try:
            connection.execute(f"attach '{lake.attach_path(settings)}' as lake (read_only)")
            connection.execute("use lake")
            cursor = connection.execute(sql)
            yield Result(_columns(cursor.description), _batches(cursor))
        except duckdb.Error as error:
            raise _refused(error) from error


def _columns(description: Sequence[Sequence[Any]] | None) -> list[str]:
    if description is None:
        raise CrmAgentsError("That statement returns no rows.", "`crm-agents query` only reads.")
    return [str(column[0]) for column in description]


def _batches(cursor: Any) -> Iterator[Sequence[tuple[Any, ...]]]:
    while batch := cursor.fetchmany(BATCH_ROWS):
        yield batch


def _refused(error: Exception) -> CrmAgentsError:
    return CrmAgentsError(f"The query failed: {str(error).strip().splitlines()[0].rstrip('.')}.")


def _print_table(result: Result) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in result.columns:
        table.add_column(column, overflow="fold")
    total = 0
    for batch in result.batches:
        for row in batch[: max(0, TABLE_ROWS - total)]:
            table.add_row(*("" if value is None else str(value).replace("[", r"\[") for value in row))
        total += len(batch)
    out().print(table)
    if total > TABLE_ROWS:
        err().print(f"The first {TABLE_ROWS} of {total:,} rows; --format csv or json prints all of them.")


def _print_csv(result: Result) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(result.columns)
    for batch in result.batches:
        writer.writerows(batch)


def _print_json(result: Result) -> None:
    separator = "["
    for batch in result.batches:
        for row in batch:
            record = dict(zip(result.columns, row, strict=True))
            sys.stdout.write(separator + json.dumps(record, default=_plain, ensure_ascii=False))
            separator = ",\n "
    sys.stdout.write("[]\n" if separator == "[" else "]\n")


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


PRINTERS = {Format.TABLE: _print_table, Format.CSV: _print_csv, Format.JSON: _print_json}
