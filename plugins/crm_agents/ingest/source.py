"""The CRM's tables as PostgreSQL has them now, and what betrays that they were written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm_agents import postgres
from crm_agents.crm_schema import crm_tables

# Counting rows costs a scan: up to this size every ingest does it, above it PostgreSQL's counters alone decide, and
# these may lag ten seconds behind a session that stays open.
COUNT_EXACTLY_BELOW = 250_000


@dataclass(frozen=True)
class Source:
    """A CRM table: its columns as lake types, and its fingerprint."""

    columns: dict[str, str]
    fingerprint: dict[str, Any]


@dataclass(frozen=True)
class State:
    """What the last ingest of a table left behind."""

    watermark: str | None
    fingerprint: dict[str, Any]


def sources() -> dict[str, Source]:
    """Read which CRM tables exist, their columns and their fingerprints, in two queries."""
    catalog = """
        select c.relname, json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod) order by a.attnum),
               json_build_object('file', c.relfilenode, 'inserted', s.n_tup_ins, 'updated', s.n_tup_upd,
                                 'deleted', s.n_tup_del),
               greatest(c.reltuples, s.n_live_tup)::bigint
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'crm'
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_stat_user_tables s on s.relid = c.oid
        where c.relkind in ('r', 'v', 'm', 'p', 'f')
        group by c.relname, c.relfilenode, c.reltuples, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_live_tup
    """
    with postgres.connect() as crm:
        rows = [row for row in crm.execute(catalog).fetchall() if row[0] in crm_tables()]
        counting = " union all ".join(
            f"select '{name}', {'count(*)' if (estimate or 0) < COUNT_EXACTLY_BELOW else 'null::bigint'}, "
            f"{'max(updated_at)::text' if 'updated_at' in columns else 'null'} from crm.{name}"
            for name, columns, _, estimate in rows
        )
        seen = {name: (count, newest) for name, count, newest in crm.execute(counting).fetchall()} if rows else {}
    return {
        name: Source(
            {column: _lake_type(kind) for column, kind in columns.items()},
            {**counters, "columns": columns, "rows": seen[name][0], "newest": seen[name][1]},
        )
        for name, columns, counters, _ in rows
    }


def _lake_type(postgres_type: str) -> str:
    simple = {
        "timestamp with time zone": "TIMESTAMPTZ",
        "timestamp without time zone": "TIMESTAMP",
        "integer": "INTEGER",
        "bigint": "BIGINT",
        "smallint": "SMALLINT",
        "boolean": "BOOLEAN",
        "date": "DATE",
        "double precision": "DOUBLE",
        "real": "FLOAT",
        "text[]": "VARCHAR[]",
    }
    if postgres_type.startswith("numeric("):
        return postgres_type.replace("numeric", "DECIMAL").replace(",", ", ")
    return simple.get(postgres_type, "VARCHAR")
