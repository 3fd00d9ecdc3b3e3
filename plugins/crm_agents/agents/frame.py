"""What every agent shares: the run it works in, its five stages, and the record it leaves in ``crm_ai.agent_runs``.

An agent is a module with five functions, each taking the run and the typed result of the stage before:
``perceive -> understand -> decide -> execute -> evaluate``. Results are small and JSON-able: they name lake tables,
they do not carry rows.
"""

from __future__ import annotations

import hashlib
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from crm_agents import postgres

STAGES = ("perceive", "understand", "decide", "execute", "evaluate")
Result = TypeVar("Result")


@dataclass(frozen=True)
class AgentRun:
    """One run of one agent (or pipeline) at one as_of."""

    run_id: str
    agent: str
    as_of: date


@dataclass(frozen=True)
class Perceived:
    """What is there: `rows` entities at as_of, of which `usable` can be judged; `reason` says why not `is_enough`."""

    rows: int
    usable: int
    is_enough: bool
    reason: str


@dataclass(frozen=True)
class Readiness:
    """Whether a model can serve: `state` is ready, waiting (not trained yet) or hopeless (data too thin to learn from)."""

    state: str
    reason: str


@dataclass(frozen=True)
class BlastRadius:
    """How much a run is about to change, in a sentence, and whether a person has to agree first."""

    summary: str
    needs_approval: bool


@dataclass(frozen=True)
class Understood:
    """Predictions of this run, in lake table `predictions`."""

    predictions: str
    scored: int
    not_scored: int
    method: str
    model_version: str


@dataclass(frozen=True)
class Decided:
    """Decisions of this run, in lake table `decisions`; `choices` counts each choice, `changed` those that are new."""

    decisions: str
    choices: dict[str, int]
    changed: int


@dataclass(frozen=True)
class Executed:
    """What was written into the CRM database."""

    inserted: int
    updated: int
    unchanged: int
    decisions: int

    @property
    def writes(self) -> int:
        """Rows inserted or updated."""
        return self.inserted + self.updated


@dataclass(frozen=True)
class Evaluated:
    """Outcomes of earlier decisions that are due now."""

    outcomes: int
    by_choice: dict[str, dict[str, float]]


def run_id_of(name: str, airflow_run_id: str) -> str:
    """Return the short id of a run, the same for every retry: for people to type, as in ``crm-agents undo RUN_ID``."""
    digest = hashlib.blake2b(f"{name}/{airflow_run_id}".encode(), digest_size=5).hexdigest()
    return f"{name}-{digest}"


def staged(run: AgentRun, stage: str, work: Callable[[], Result]) -> Result:
    """Do `work` as one stage of `run`, and record its seconds, processor time and memory, whether or not it fails.

    Raises
    ------
    Exception
        Whatever `work` raises, after it was recorded.
    """
    started, processor = time.perf_counter(), time.process_time()
    status, reason = "running", None
    try:
        return work()
    except Exception as error:
        status, reason = "failed", f"{stage}: {error}"
        raise
    finally:
        seconds = round(time.perf_counter() - started, 3)
        _record_stage(run, stage, seconds, time.process_time() - processor, status, reason)


def finish(
    run: AgentRun,
    status: str,
    reason: str | None = None,
    *,
    rows: int | None = None,
    decisions: int | None = None,
    writes: int | None = None,
    batch_id: int | None = None,
) -> None:
    """Close the record of `run`: how it ended (done, written, waiting, failed) and how much it did."""
    with postgres.connect() as crm:
        crm.execute(
            """
            insert into crm_ai.agent_runs as r
                (run_id, agent, as_of, status, status_reason, rows_perceived, decisions, writes, batch_id)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (run_id, agent) do update set
                status = excluded.status,
                status_reason = excluded.status_reason,
                rows_perceived = coalesce(excluded.rows_perceived, r.rows_perceived),
                decisions = coalesce(excluded.decisions, r.decisions),
                writes = coalesce(excluded.writes, r.writes),
                batch_id = coalesce(excluded.batch_id, r.batch_id)
            """,
            (run.run_id, run.agent, run.as_of, status, reason, rows, decisions, writes, batch_id),
        )


def _record_stage(run: AgentRun, stage: str, seconds: float, cpu: float, status: str, reason: str | None) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with postgres.connect() as crm:
        crm.execute(
            """
            insert into crm_ai.agent_runs as r
                (run_id, agent, as_of, stage_seconds, status, status_reason, seconds, cpu_seconds, peak_rss_mb)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (run_id, agent) do update set
                stage_seconds = r.stage_seconds || excluded.stage_seconds,
                status = excluded.status,
                status_reason = excluded.status_reason,
                seconds = r.seconds + excluded.seconds,
                cpu_seconds = r.cpu_seconds + excluded.cpu_seconds,
                peak_rss_mb = greatest(r.peak_rss_mb, excluded.peak_rss_mb)
            """,
            (
                *(run.run_id, run.agent, run.as_of, json.dumps({stage: seconds})),
                *(status, reason, seconds, cpu, peak_mb),
            ),
        )
