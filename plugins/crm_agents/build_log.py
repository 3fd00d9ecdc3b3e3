"""Which batch the marts were last built from, and for which day: what is newer has still to go through the gates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crm_agents import postgres

PIPELINE = "build_marts"


@dataclass(frozen=True)
class Build:
    """A completed run of ``build_marts``."""

    batch_id: int
    as_of: date


def last_build() -> Build | None:
    """Return the newest completed build, None before the first."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select batch_id, as_of from crm_ai.agent_runs where agent = %s and status = 'done' and batch_id is not null "
            "order by batch_id desc, started_at desc limit 1",
            (PIPELINE,),
        ).fetchone()
    return Build(*row) if row else None
