"""Agents without work, and DAGs of the same shape without a frame: what `benchmarks/workflow.py` measures."""

from __future__ import annotations

from types import ModuleType

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, TriggerRule, task

from crm_agents.agents.frame import BlastRadius, Decided, Evaluated, Executed, Perceived, Readiness, Understood
from crm_agents.orchestration.agent_dag import agent_dag

AGENTS = 10
CONDITIONS = ("enough_data", "champion_good_enough", "approval_needed", "changed_anything")
STAGES = ("perceive", "enough_data", "champion_good_enough", "understand", "decide", "approval_needed", "execute",
          "changed_anything", "explain", "evaluate")  # fmt: skip


def idle_agent(name: str) -> ModuleType:
    """Return an agent whose stages do nothing, and which takes the whole way."""
    agent = ModuleType(name)
    agent.AGENT = name
    agent.perceive = lambda run, company: Perceived(1, 1, True, "Nothing to do.")
    agent.champion_readiness = lambda run: Readiness("ready", "Nothing to do.")
    agent.understand = lambda run, company: Understood("none", 0, 0, "none", "")
    agent.not_scored = lambda run, reason: Understood("none", 0, 0, "none", "")
    agent.decide = lambda run, company: Decided("none", {}, 0)
    agent.blast_radius = lambda run, company: BlastRadius("Nothing to do.", False)
    agent.execute = lambda run, company: Executed(1, 0, 0, 0)
    agent.explain = lambda run, company: 0
    agent.evaluate = lambda run, company: Evaluated(0, {})
    return agent


def writing_agent() -> ModuleType:
    """Return an agent that writes some 20 MB into the lake."""
    from crm_agents import lake

    def understand(run, company):
        with lake.connect() as connection:
            lake.replace_rows(
                connection,
                "predictions.workflow_benchmark",
                run.run_id,
                f"select '{run.run_id}' as run_id, i, hash(i) as a, hash(i + 1) as b from range(1000000) t(i)",
            )
        return Understood("predictions.workflow_benchmark", 1_000_000, 0, "none", "")

    agent = idle_agent("writing_agent")
    agent.understand = understand
    return agent


def same_shape(name: str) -> DAG:
    """Return a DAG with the tasks of an agent's way, in their order, that return at once."""
    with DAG(name, schedule=None, catchup=False, max_active_runs=1, default_args={"retries": 1}) as dag:
        before = None
        for stage in STAGES:

            @task(task_id=stage, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
            def nothing() -> None:
                """Return at once."""

            here = EmptyOperator(task_id=stage) if stage in CONDITIONS else nothing()
            if before is not None:
                before >> here
            before = here
    return dag


for number, module in enumerate([*(idle_agent(f"idle_agent_{place}") for place in range(AGENTS)), writing_agent()]):
    globals()[f"agent_{number}"] = agent_dag(
        module,
        doc="An agent of the benchmark.",
        every="0 5 1 1 *",
        fresh=Asset(f"nothing_{number}"),
        publishes=Asset(f"idle_{number}"),
        tags=("agent",),
    )
empty = same_shape("empty_same_shape")
