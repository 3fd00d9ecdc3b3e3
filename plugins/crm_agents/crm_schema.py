"""The CRM tables as ``ddl/10_crm.sql`` declares them: columns, types and keys, for code that treats every table alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from crm_agents.postgres import DDL_DIR

LAKE_TYPES = {
    "text": "VARCHAR",
    "text[]": "VARCHAR[]",
    "integer": "INTEGER",
    "numeric(18, 4)": "DECIMAL(18, 4)",
    "timestamptz": "TIMESTAMPTZ",
    "date": "DATE",
    "boolean": "BOOLEAN",
    "jsonb": "VARCHAR",
}


@dataclass(frozen=True)
class CrmTable:
    """One table of schema ``crm``.

    `columns` maps each column to its lake type; `key` is the primary key.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]


@cache
def crm_tables() -> dict[str, CrmTable]:
    """Return every declared CRM table by name, in the order of the DDL."""
    script = (DDL_DIR / "10_crm.sql").read_text(encoding="utf-8")
    bodies = re.findall(r"create table if not exists crm\.(\w+) \((.*?)\n\);", script, flags=re.DOTALL)
    return {name: _parse(name, body) for name, body in bodies}


def _parse(name: str, body: str) -> CrmTable:
    columns: dict[str, str] = {}
    key: tuple[str, ...] = ()
    for line in (raw.strip().rstrip(",") for raw in body.strip().splitlines()):
        if line.startswith("primary key"):
            key = tuple(re.findall(r"\w+", line.removeprefix("primary key")))
            continue
        column, declared = line.split(" ", 1)
        if declared.endswith("primary key"):
            key = (column,)
        declared = re.sub(r" (primary key|not null.*)$", "", declared)
        columns[column] = LAKE_TYPES[declared]
    return CrmTable(name, columns, key)
