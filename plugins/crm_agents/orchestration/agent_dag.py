"""The DAG of an agent: the same five stages and condition nodes for every agent, in one place.

An agent is a module with ``AGENT`` and the functions perceive, champion_readiness, understand, not_scored, decide,
blast_radius, execute, explain and evaluate (see ``crm_agents.agents.frame``), and permit where it puts messages into the outbox.
References travel through XCom, never frames.

A stage answers the questions that follow from it and takes their branch; the condition nodes are empty tasks, green where the
answer was yes. The scheduler passes them by itself: as tasks that need a worker they would cost every score two seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from types import ModuleType
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    Label,
    TriggerRule,
    get_current_context,
    task,
)
from airflow.sdk.definitions.asset import BaseAsset

from crm_agents.agents import frame, history
from crm_agents.orchestration import context
from crm_agents.orchestration.approval import Approval
from crm_agents.orchestration.defaults import at_times, dag_settings


def agent_dag(
    agent: ModuleType, *, doc: str, every: str, fresh: BaseAsset, publishes: Asset, tags: tuple[str, ...]
) -> DAG:
    """Build the DAG of `agent`.

    Parameters
    ----------
    agent : module
        The agent's functions; its ``AGENT`` is the dag_id.
    doc : str
        Markdown for the DAG's page.
    every : str
        Cron expression (UTC) of the run that comes without fresh data.
    fresh : BaseAsset
        What starts a run when it changes.
    publishes : Asset
        What the agent's writes make fresh.
    tags : tuple of str
        Tags in the list of DAGs.
    """
    with DAG(
        agent.AGENT,
        schedule=AssetOrTimeSchedule(timetable=at_times(every), assets=fresh),
        doc_md=doc,
        params={"as_of": context.AS_OF},
        **dag_settings(owner="customer-agents", tags=tags),
    ) as dag:
        _wire(agent, publishes)
    return dag


def _wire(agent: ModuleType, publishes: Asset) -> None:
    first_write = "consent_given" if hasattr(agent, "permit") else "execute"
    perceived, understood, decided = _perceive(agent), _understand(agent), _decide(agent, first_write)
    executed, explained, evaluated = _execute(agent, publishes), _explain(agent), _evaluate(agent)
    enough = _question("enough_data", "Are there enough data to work with?")
    good = _question("champion_good_enough", "Is there a champion that beats (or is) its baseline?")
    needed = _question("approval_needed", "Would this run change more than write_back allows without approval?")
    changed = _question("changed_anything", "Did any score change?")
    thin = _not_scored(agent)
    approval = Approval(
        task_id="approval",
        subject="{{ dag.dag_id }}: more changes than one run may make by itself",
        body="{{ ti.xcom_pull(task_ids='decide', key='difference') }}",
        approved=first_write,
        rejected="rejected",
        doc_md="Waits for a person without holding a worker; no answer within a day means no.",
    )

    # Side by side: Airflow's branching would not skip the second question behind a first one that was answered yes.
    perceived >> [enough, good] >> understood
    perceived >> Label("too little, or never a champion") >> thin
    perceived >> Label("no champion yet") >> _waiting(agent)
    [understood, thin] >> decided
    decided >> Label("yes") >> needed >> approval
    next_step = _consent_given(agent) if hasattr(agent, "permit") else executed
    approval >> Label("approved") >> next_step
    approval >> Label("rejected") >> _rejected()
    decided >> Label("no") >> next_step
    if next_step is not executed:
        next_step >> executed
    executed >> Label("yes") >> changed >> explained >> evaluated
    executed >> Label("no") >> evaluated


def _question(task_id: str, doc: str) -> EmptyOperator:
    return EmptyOperator(task_id=task_id, doc_md=f"{doc} Green: yes. Skipped: no.")


def _perceived() -> dict[str, Any]:
    """Return what *perceive* of this run found (pulled, so that the graph shows the order of work and nothing else)."""
    return get_current_context()["ti"].xcom_pull(task_ids="perceive", key="found")


def _staged(stage: str, as_of: str, work: Callable[[frame.AgentRun, Any], Any]) -> dict[str, Any]:
    """Run `work` as a recorded stage and return its result as plain values."""
    from crm_agents.company import loaded_company

    run, company = context.run_at(as_of), loaded_company()
    result = frame.staged(run, stage, lambda: work(run, company))
    print(f"{stage}: {result}")
    return asdict(result)


def _perceive(agent: ModuleType) -> Any:
    @task.branch(doc_md="What is there, how fresh is it, is it enough, and can a champion judge it?")
    def perceive(ti: Any = None) -> list[str]:
        run = context.current_run()
        print(f"run {run.run_id}, as of {run.as_of}")
        if run.is_backfill:
            history.ensure_features(run.as_of, run.run_id)
        as_of = run.as_of.isoformat()
        found = {"as_of": as_of, **_staged("perceive", as_of, agent.perceive)}
        ti.xcom_push("found", found)
        print(found["reason"])
        if not found["is_enough"]:
            return ["not_scored"]
        readiness = frame.observed(run, "champion_good_enough", lambda: agent.champion_readiness(run))
        print(readiness.reason)
        ways = {"ready": "champion_good_enough", "hopeless": "not_scored", "waiting": "waiting_for_model"}
        return ["enough_data", ways[readiness.state]]

    return perceive()


def _waiting(agent: ModuleType) -> Any:
    @task(doc_md="No model can serve yet: this run ends here, the next one starts with the champion.")
    def waiting_for_model() -> None:
        perceived = _perceived()
        run = context.run_at(perceived["as_of"])
        frame.finish(run, "waiting", agent.champion_readiness(run).reason, rows=perceived["rows"])

    return waiting_for_model()


def _understand(agent: ModuleType) -> Any:
    @task(doc_md="Features, champion, predictions.")
    def understand() -> dict[str, Any]:
        return _staged("understand", _perceived()["as_of"], agent.understand)

    return understand()


def _not_scored(agent: ModuleType) -> Any:
    @task(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        doc_md="The honest answer where data are too thin: no score, and the reason.",
    )
    def not_scored() -> dict[str, Any]:
        perceived = _perceived()
        run = context.run_at(perceived["as_of"])
        reason = agent.champion_readiness(run).reason if perceived["is_enough"] else perceived["reason"]
        return _staged("understand", perceived["as_of"], lambda run, _: agent.not_scored(run, reason))

    return not_scored()


def _decide(agent: ModuleType, first_write: str) -> Any:
    @task.branch(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        doc_md="Options, policy, choice, reason, confidence; and whether a person has to agree.",
    )
    def decide(ti: Any = None) -> str:
        from crm_agents.company import loaded_company

        as_of = _perceived()["as_of"]
        _staged("decide", as_of, agent.decide)
        run, company = context.run_at(as_of), loaded_company()
        radius = frame.observed(run, "approval_needed", lambda: agent.blast_radius(run, company))
        ti.xcom_push("difference", radius.table)
        print(radius.summary)
        return "approval_needed" if radius.needs_approval else first_write

    return decide()


def _consent_given(agent: ModuleType) -> Any:
    @task(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        doc_md="What may go out? Consent, refusals, frequency and quiet hours of every message. Fails closed: what cannot be "
        "read blocks everything, and if this fails nothing is written.",
    )
    def consent_given() -> str:
        from crm_agents.company import loaded_company

        run, company = context.run_at(_perceived()["as_of"]), loaded_company()
        summary = frame.observed(run, "consent_given", lambda: agent.permit(run, company))
        print(summary)
        return summary

    return consent_given()


def _rejected() -> Any:
    @task(doc_md="Somebody said no, or nobody answered in time: this run ends here and writes nothing.")
    def rejected(ti: Any = None) -> None:
        perceived = _perceived()
        reason = ti.xcom_pull(task_ids="approval", key="answer")
        frame.finish(context.run_at(perceived["as_of"]), "rejected", reason, rows=perceived["rows"], writes=0)
        print(reason)

    return rejected()


def _execute(agent: ModuleType, publishes: Asset) -> Any:
    @task.branch(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        outlets=[publishes],
        doc_md="Writes what differs, with the ledger, in one transaction.",
    )
    def execute(outlet_events: Any = None) -> str:
        perceived = _perceived()
        executed = _staged("execute", perceived["as_of"], agent.execute)
        run = context.run_at(perceived["as_of"])
        outlet_events[publishes].extra = {"as_of": perceived["as_of"], "run_id": run.run_id}
        writes = executed["inserted"] + executed["updated"]
        frame.finish(run, "written", rows=perceived["rows"], decisions=executed["decisions"], writes=writes)
        return "changed_anything" if writes else "evaluate"

    return execute()


def _explain(agent: ModuleType) -> Any:
    @task(doc_md="Reasons of the changed scores, for those that matter most first.")
    def explain() -> int:
        from crm_agents.company import loaded_company

        run = context.run_at(_perceived()["as_of"])
        return frame.staged(run, "explain", lambda: agent.explain(run, loaded_company()))

    return explain()


def _evaluate(agent: ModuleType) -> Any:
    @task(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, doc_md="What happened to earlier decisions that are due."
    )
    def evaluate() -> dict[str, Any]:
        as_of = _perceived()["as_of"]
        evaluated = _staged("evaluate", as_of, agent.evaluate)
        frame.finish(context.run_at(as_of), "done")
        return evaluated

    return evaluate()
