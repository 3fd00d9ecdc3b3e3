"""
### Train the models

Trains every registered model that is due, grades it against the rule of thumb that it replaces, and lets it become
champion only through the gate.

| | |
|---|---|
| **Reads** | `lake.features.*` at training cut-offs, at a recorded lake snapshot |
| **Writes** | MLflow (versions, metrics, model cards), `crm_ai.models`, `crm_ai.data_usability` |
| **Starts** | the agents, when a champion changed |
| **Does not** | score anyone, or put a model in charge that is worse than its baseline |

A model is due when it has no champion yet or its champion is older than a week; *force* trains in any case. "Kept champion"
is a success. Where data are too thin the run succeeds and `crm_ai.data_usability` says what is missing.

**By hand:** `crm-agents run train_models`. **When one model fails** the others go on; clear the failed task to repeat it.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, Param, TriggerRule, task

from crm_agents.orchestration import context
from crm_agents.orchestration.assets import CHAMPIONS, CUSTOMER_FEATURES
from crm_agents.orchestration.defaults import at_times, dag_settings

with DAG(
    "train_models",
    schedule=AssetOrTimeSchedule(timetable=at_times("0 3 * * 1"), assets=[CUSTOMER_FEATURES]),
    doc_md=__doc__,
    params={
        "as_of": context.AS_OF,
        "force": Param(False, type="boolean", title="Force", description="Train although no model is due."),
    },
    **dag_settings(owner="machine-learning", tags=("models",)),
) as dag:

    @task.short_circuit(doc_md="Which models are due? None: the rest is skipped.")
    def due(params: dict | None = None) -> list[dict[str, str]]:
        """Return the models to train and the day."""
        from crm_agents import training

        run = context.current_run()
        chosen = []
        for spec in training.MODELS:
            is_due, why = training.is_due(spec.name, as_of=run.as_of)
            print(f"{spec.name}: {why}")
            if is_due or params["force"]:
                chosen.append({"model": spec.name, "as_of": run.as_of.isoformat()})
        return chosen

    @task(doc_md="Features and labels at the training cut-offs.")
    def prepare(chosen: list[dict[str, str]]) -> list[dict[str, str]]:
        """Build features and labels at every cut-off that training needs."""
        from crm_agents import training

        run = context.run_at(chosen[0]["as_of"])
        training.prepare(as_of=run.as_of, run_id=run.run_id)
        return chosen

    @task(map_index_template="{{ task.op_kwargs['chosen']['model'] }}", doc_md="One model, from data check to gate.")
    def train(chosen: dict[str, str]) -> dict:
        """Train, judge and register one model."""
        from crm_agents import training

        run = context.run_at(chosen["as_of"])
        return training.train(chosen["model"], as_of=run.as_of, run_id=run.run_id).summary()

    @task(outlets=[CHAMPIONS], trigger_rule=TriggerRule.ALL_DONE, doc_md="Tells the agents that a champion changed.")
    def publish(chosen: list[dict[str, str]], results: list[dict], outlet_events=None) -> list[str]:
        """Publish when at least one model was promoted (or will, as data are, never be)."""
        from airflow.sdk.exceptions import AirflowSkipException

        decided = [result["model"] for result in results or [] if result and result["is_news"]]
        if not decided:
            raise AirflowSkipException("Every champion stays as it was.")
        outlet_events[CHAMPIONS].extra = {"as_of": chosen[0]["as_of"], "models": decided}
        return decided

    prepared = prepare(due())
    publish(prepared, train.expand(chosen=prepared))
