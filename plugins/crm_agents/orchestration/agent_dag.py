"""The DAG of an agent: the same five stages and condition nodes for every agent, in one place.

An agent is a module with ``AGENT`` and the functions perceive, champion_readiness, understand, not_scored, decide,
blast_radius, execute, explain and evaluate (see ``crm_agents.agents.frame``). References travel through XCom, never frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from types import ModuleType
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
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

from crm_agents.agents import frame
from crm_agents.orchestration import context
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
    perceived = _perceive(agent)
    enough = _enough_data()
    good = _champion_good_enough(agent)
    understood = _understand(agent)
    thin = _not_scored(agent)
    decided = _decide(agent)
    needed = _approval_needed(agent)
    approval = ApprovalOperator(
        task_id="approval",
        subject="{{ dag.dag_id }}: more changes than one run may make by itself",
        body="{{ ti.xcom_pull(task_ids='approval_needed', key='difference') }}",
        defaults="Reject",
        response_timeout=timedelta(hours=24),
        doc_md="Waits for a person without holding a worker; no answer within a day means no.",
    )
    executed = _execute(agent, publishes)
    changed = _changed_anything()
    explained = _explain(agent)
    evaluated = _evaluate(agent)

    perceived >> enough
    enough >> Label("yes") >> good
    enough >> Label("no") >> thin
    good >> Label("yes") >> understood
    good >> Label("no, and never with these data") >> thin
    good >> Label("not yet") >> _waiting()
    [understood, thin] >> decided >> needed
    needed >> Label("yes") >> approval >> executed
    needed >> Label("no") >> executed
    executed >> changed
    changed >> Label("yes") >> explained >> evaluated
    changed >> Label("no") >> evaluated


def _perceived() -> dict[str, Any]:
    """Return what *perceive* of this run found (pulled, so that the graph shows the order of work and nothing else)."""
    return get_current_context()["ti"].xcom_pull(task_ids="perceive")


def _staged(stage: str, as_of: str, work: Callable[[frame.AgentRun, Any], Any]) -> dict[str, Any]:
    """Run `work` as a recorded stage and return its result as plain values."""
    from crm_agents.company import loaded_company

    run, company = context.run_at(as_of), loaded_company()
    result = frame.staged(run, stage, lambda: work(run, company))
    print(f"{stage}: {result}")
    return asdict(result)


def _perceive(agent: ModuleType) -> Any:
    @task(doc_md="What is there, how fresh is it, is it enough?")
    def perceive() -> dict[str, Any]:
        run = context.current_run()
        print(f"run {run.run_id}, as of {run.as_of}")
        as_of = run.as_of.isoformat()
        return {"as_of": as_of, **_staged("perceive", as_of, agent.perceive)}

    return perceive()


def _enough_data() -> Any:
    @task.branch(doc_md="Are there enough data to work with?")
    def enough_data() -> str:
        perceived = _perceived()
        print(perceived["reason"])
        return "champion_good_enough" if perceived["is_enough"] else "not_scored"

    return enough_data()


def _champion_good_enough(agent: ModuleType) -> Any:
    @task.branch(doc_md="Is there a champion that beats (or is) its baseline?")
    def champion_good_enough() -> str:
        readiness = agent.champion_readiness(context.run_at(_perceived()["as_of"]))
        print(readiness.reason)
        return {"ready": "understand", "hopeless": "not_scored", "waiting": "waiting_for_model"}[readiness.state]

    return champion_good_enough()


def _waiting() -> Any:
    @task(doc_md="No model has been trained yet: this run ends here, the next one starts with the champion.")
    def waiting_for_model() -> None:
        perceived = _perceived()
        run = context.run_at(perceived["as_of"])
        frame.finish(run, "waiting", "No model has been trained yet.", rows=perceived["rows"])

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


def _decide(agent: ModuleType) -> Any:
    @task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, doc_md="Options, policy, choice, reason, confidence.")
    def decide() -> dict[str, Any]:
        return _staged("decide", _perceived()["as_of"], agent.decide)

    return decide()


def _approval_needed(agent: ModuleType) -> Any:
    @task.branch(doc_md="Would this run change more rows than write_back.approval_above_share allows?")
    def approval_needed(ti: Any = None) -> str:
        from crm_agents.company import loaded_company

        radius = agent.blast_radius(context.run_at(_perceived()["as_of"]), loaded_company())
        ti.xcom_push("difference", radius.summary)
        print(radius.summary)
        return "approval" if radius.needs_approval else "execute"

    return approval_needed()


def _execute(agent: ModuleType, publishes: Asset) -> Any:
    @task(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        outlets=[publishes],
        doc_md="Writes what differs, with the ledger, in one transaction.",
    )
    def execute(outlet_events: Any = None) -> dict[str, Any]:
        perceived = _perceived()
        executed = _staged("execute", perceived["as_of"], agent.execute)
        run = context.run_at(perceived["as_of"])
        outlet_events[publishes].extra = {"as_of": perceived["as_of"], "run_id": run.run_id}
        writes = executed["inserted"] + executed["updated"]
        frame.finish(run, "written", rows=perceived["rows"], decisions=executed["decisions"], writes=writes)
        return {**executed, "writes": writes}

    return execute()


def _changed_anything() -> Any:
    @task.branch(doc_md="Did any score change?")
    def changed_anything(ti: Any = None) -> str:
        return "explain" if ti.xcom_pull(task_ids="execute")["writes"] else "evaluate"

    return changed_anything()


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
