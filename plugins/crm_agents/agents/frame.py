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
from datetime import UTC, date, datetime
from typing import TypeVar

from crm_agents import postgres

STAGES = ("perceive", "understand", "decide", "execute", "evaluate")
Result = TypeVar("Result")


@dataclass(frozen=True)
class AgentRun:
    """One run of one agent (or pipeline) at one as_of.

    Attributes
    ----------
    is_backfill : bool
        It works for a day gone by.
    decided_before : datetime or None
        It repeats a run of then: later decisions do not exist for it.
    """

    run_id: str
    agent: str
    as_of: date
    is_backfill: bool = False
    decided_before: datetime | None = None


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
    """How much a run is about to change, in a sentence, whether a person has to agree first, and what that person reads."""

    summary: str
    needs_approval: bool
    table: str = ""


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


@dataclass(frozen=True)
class Cost:
    """What a stage or condition node cost: its own time and processor, and the memory of its process at most."""

    started_at: datetime
    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


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
    return _recorded(run, stage, work, is_stage=True)


def observed(run: AgentRun, node: str, work: Callable[[], Result]) -> Result:
    """Do `work` as a condition node of `run` and record its cost beside the stages; a failure is recorded like a stage's."""
    return _recorded(run, node, work, is_stage=False)


def _recorded(run: AgentRun, name: str, work: Callable[[], Result], *, is_stage: bool) -> Result:
    started_at, started, processor = datetime.now(UTC), time.perf_counter(), time.process_time()
    status, reason = "running" if is_stage else None, None
    try:
        return work()
    except Exception as error:
        status, reason = "failed", f"{name}: {error}"
        raise
    finally:
        cost = Cost(
            started_at,
            seconds=round(time.perf_counter() - started, 3),
            cpu_seconds=round(time.process_time() - processor, 3),
            peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        )
        _record(run, name, cost, status, reason, is_stage=is_stage)


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


def _record(run: AgentRun, name: str, cost: Cost, status: str | None, reason: str | None, *, is_stage: bool) -> None:
    """Add the cost of a stage or node; it has waited since the one before it was recorded (queue, scheduler, Airflow)."""
    numbers = {"seconds": cost.seconds, "cpu_seconds": cost.cpu_seconds, "peak_rss_mb": cost.peak_rss_mb}
    with postgres.connect() as crm:
        crm.execute(
            """
            insert into crm_ai.agent_runs as r (run_id, agent, as_of, stage_seconds, stage_costs, status, status_reason,
                seconds, cpu_seconds, peak_rss_mb, started_at, recorded_at)
            values (%(run_id)s, %(agent)s, %(as_of)s, %(stage_seconds)s, jsonb_build_object(%(name)s::text, %(numbers)s::jsonb),
                coalesce(%(status)s::text, 'running'), %(reason)s, %(seconds)s, %(cpu)s, %(peak)s, %(started_at)s,
                clock_timestamp())
            on conflict (run_id, agent) do update set
                stage_seconds = r.stage_seconds || excluded.stage_seconds,
                stage_costs = r.stage_costs || jsonb_build_object(%(name)s::text, %(numbers)s::jsonb || jsonb_build_object(
                    'waited_seconds', round(greatest(extract(epoch from %(started_at)s::timestamptz - r.recorded_at), 0), 3))),
                status = coalesce(%(status)s::text, r.status),
                status_reason = case when %(status)s::text is null then r.status_reason else excluded.status_reason end,
                seconds = r.seconds + excluded.seconds,
                cpu_seconds = r.cpu_seconds + excluded.cpu_seconds,
                peak_rss_mb = greatest(r.peak_rss_mb, excluded.peak_rss_mb),
                recorded_at = excluded.recorded_at
            """,
            {
                "run_id": run.run_id,
                "agent": run.agent,
                "as_of": run.as_of,
                "stage_seconds": json.dumps({name: cost.seconds} if is_stage else {}),
                "name": name,
                "numbers": json.dumps(numbers),
                "status": status,
                "reason": reason,
                "seconds": cost.seconds,
                "cpu": cost.cpu_seconds,
                "peak": cost.peak_rss_mb,
                "started_at": cost.started_at,
            },
        )
