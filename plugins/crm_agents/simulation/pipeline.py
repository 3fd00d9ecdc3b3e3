"""One day of the whole pipeline in this process, by the functions that the DAGs call, in the DAGs' order.

``ingest_crm`` -> ``build_marts`` -> ``train_models`` (when due) -> every agent -> ``monitor_models`` -> ``train_models`` again
where an alarm asks for it. No Airflow: 120 days would take it hours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from types import ModuleType
from typing import TYPE_CHECKING

from crm_agents import agents, build_log, gates, ingest, lake, marts, postgres, training
from crm_agents.agents import frame
from crm_agents.agents.frame import AgentRun
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    from crm_agents.training import TrainingResult

Tell = Callable[[str], None]


@dataclass
class PipelineDay:
    """What the pipeline did on a day."""

    as_of: date
    trained: list[TrainingResult] = field(default_factory=list)
    written: int = 0
    decisions: int = 0


def run_day(as_of: date, company: Company, tell: Tell) -> PipelineDay:
    """Run the pipeline for the end of `as_of`.

    Run ids follow from the day, so that a day which was interrupted is repeated without a second effect.

    Raises
    ------
    CrmAgentsError
        When a gate stops the run, or a step fails.
    """
    done = PipelineDay(as_of)
    tell("ingesting")
    ingest.run(run_id=_run("ingest_crm", as_of).run_id)
    tell("building marts")
    _build_marts(as_of, company)
    _train(as_of, company, set(), done, tell)
    for name in agents.AGENTS:
        tell(name)
        agent = agents.find(name)
        _run_agent(agent, _run(agent.AGENT, as_of), company, done)
    tell("monitoring")
    _train(as_of, company, _alarmed(as_of, company), done, tell)
    return done


def _run(name: str, as_of: date) -> AgentRun:
    return AgentRun(frame.run_id_of(name, f"simulate__{as_of}"), name, as_of)


def _build_marts(as_of: date, company: Company) -> None:
    run, built = _run("build_marts", as_of), build_log.last_build()
    with lake.connect() as connection:
        batch = marts.newest_batch(connection)
    gates.check_arrival(run_id=run.run_id, as_of=as_of, batch_id=batch, company=company).raise_if_critical()
    checked = built.batch_id if built and built.as_of == as_of and built.batch_id < batch else None
    marts.build(as_of=as_of, run_id=run.run_id, company=company)
    for check in (gates.check_marts, gates.check_features):
        check(run_id=run.run_id, as_of=as_of, after_batch=checked).raise_if_critical()
    frame.finish(run, "done", batch_id=batch)


def _train(as_of: date, company: Company, alarmed: set[str], done: PipelineDay, tell: Tell) -> None:
    """Train the models that are due (or alarmed) and have not been trained on this day."""
    trained = {result.model for result in done.trained}
    due = [one.model for one in training.which_are_due(as_of, alarmed=alarmed, company=company) if one.is_due]
    run = _run("train_models", as_of)
    for number, model in enumerate(model for model in due if model not in trained):
        tell(f"training {model}")
        if not number:
            training.prepare(as_of=as_of, run_id=run.run_id, company=company)
        done.trained.append(training.train(model, as_of=as_of, run_id=run.run_id, company=company))


def _alarmed(as_of: date, company: Company) -> set[str]:
    """Join outcomes that are due and measure drift; return the models that new alarms are about."""
    from crm_agents.monitoring import alarms, monitor

    run = _run("monitor_models", as_of)
    if alarms.is_measured(as_of):
        return set()
    monitor.join_outcomes(as_of=as_of, run_id=run.run_id, company=company)
    raised = monitor.watch(as_of=as_of, run_id=run.run_id, company=company)
    return {model for alarm in raised for model in alarm.models}


def _run_agent(agent: ModuleType, run: AgentRun, company: Company, done: PipelineDay) -> None:
    """Run the five stages of an agent with the conditions of its DAG."""
    perceived = frame.staged(run, "perceive", lambda: agent.perceive(run, company))
    readiness = agent.champion_readiness(run) if perceived.is_enough else None
    if readiness is not None and readiness.state == "waiting":
        frame.finish(run, "waiting", "No model has been trained yet.", rows=perceived.rows)
        return
    if readiness is not None and readiness.state == "ready":
        frame.staged(run, "understand", lambda: agent.understand(run, company))
    else:
        reason = readiness.reason if readiness else perceived.reason
        frame.staged(run, "understand", lambda: agent.not_scored(run, reason))
    frame.staged(run, "decide", lambda: agent.decide(run, company))
    executed = frame.staged(run, "execute", lambda: agent.execute(run, company))
    frame.finish(run, "written", rows=perceived.rows, decisions=executed.decisions, writes=executed.writes)
    if executed.writes:
        frame.staged(run, "explain", lambda: agent.explain(run, company))
    frame.staged(run, "evaluate", lambda: agent.evaluate(run, company))
    frame.finish(run, "done")
    done.written += executed.writes
    done.decisions += executed.decisions


def run_day_through_airflow(as_of: date, company: Company, tell: Tell) -> PipelineDay:
    """Run the pipeline for the end of `as_of` as users do: ``ingest_crm`` and all that follows, by the scheduler.

    Raises
    ------
    CrmAgentsError
        When a DAG fails, with its reason.
    """
    from crm_agents import run as running
    from crm_agents.airflow_api import AirflowClient

    with running.one_at_a_time(lambda: tell("waiting for another run")), AirflowClient() as client:
        chain = running.run_chain(client, as_of=as_of, tell=lambda dag, text: tell(f"{dag}: {text}"))
    failed = [run for run in chain.runs if run.state == "failed"]
    if failed:
        raise CrmAgentsError(
            f"{failed[0].dag_id} failed on {as_of}: {' '.join(failed[0].failures)}", "Mend it and simulate again."
        )
    with postgres.connect() as crm:
        decisions = crm.execute("select count(*) from crm_ai.decisions where as_of = %s", (as_of,)).fetchone()
    return PipelineDay(as_of, decisions=int(decisions[0]) if decisions else 0)
