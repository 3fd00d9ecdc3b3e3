"""The raw tables of the lake: made on first use, widened when the CRM gains a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents.crm_schema import CrmTable
from crm_agents.ingest.source import Source

if TYPE_CHECKING:
    import duckdb


def raw_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Return the columns and their types of every raw table that is there."""
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = 'lake' and schema_name = 'raw' order by table_name, column_index"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = _canonical(kind)
    tables.pop("ingest_state", None)
    return tables


def _canonical(duckdb_type: str) -> str:
    if duckdb_type == "TIMESTAMP WITH TIME ZONE":
        return "TIMESTAMPTZ"
    return duckdb_type.replace(",", ", ") if duckdb_type.startswith("DECIMAL") else duckdb_type


def ensure_raw(
    connection: duckdb.DuckDBPyConnection,
    table: CrmTable,
    source: Source | None,
    present: dict[str, str] | None,
) -> dict[str, str]:
    """Create ``raw.<table>`` or add the columns that the CRM has gained; return its data columns and their types."""
    extra = {name: kind for name, kind in (source.columns if source else {}).items() if name not in table.columns}
    if present is None:
        wanted = table.columns | extra
        body = ", ".join(f'"{name}" {kind}' for name, kind in wanted.items())
        connection.execute(f"create table lake.raw.{table.name} ({body}, _batch BIGINT, _deleted BOOLEAN)")
        return wanted
    for name, kind in extra.items():
        if name not in present:
            connection.execute(f'alter table lake.raw.{table.name} add column "{name}" {kind}')
            present[name] = kind
    return {name: kind for name, kind in present.items() if name not in ("_batch", "_deleted")}
