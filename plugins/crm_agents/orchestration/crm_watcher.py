"""Notices that the CRM has changed, so that ingestion starts within a second and not at the next full five minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

WRITES = """
    select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables where schemaname = 'crm'
"""


class CrmChanged(BaseEventTrigger):
    """Fires when PostgreSQL's counters say that tables of schema ``crm`` were written to.

    Reading the counters costs the CRM a fraction of a millisecond and needs nothing installed in it. What exactly changed is
    for ``crm_agents.ingest`` to find out; a write that was rolled back fires once for nothing.

    Parameters
    ----------
    every_seconds : float
        Time between two looks.
    """

    def __init__(self, every_seconds: float = 1.0) -> None:
        super().__init__()
        self.every_seconds = every_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments from which the triggerer makes this trigger anew."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"every_seconds": self.every_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each change; while the CRM cannot be reached, keep trying."""
        seen: int | None = None
        while True:
            try:
                async for writes in self._counts():
                    if seen is not None and writes != seen:
                        yield TriggerEvent({"writes": writes})
                    seen = writes
            except Exception as error:
                # The watcher outlives a restart of the database; ingest's own schedule catches what happens meanwhile.
                self.log.warning("The CRM cannot be watched at the moment: %s", str(error).strip().splitlines()[0])
            await asyncio.sleep(5)

    async def _counts(self) -> AsyncIterator[int]:
        import psycopg

        from crm_agents.postgres import conninfo

        connection = await psycopg.AsyncConnection.connect(conninfo("crm"), autocommit=True)
        async with connection:
            while True:
                row = await (await connection.execute(WRITES)).fetchone()
                yield int(row[0]) if row else 0
                await asyncio.sleep(self.every_seconds)
