"""
### Train the models

Trains every registered model that is due, grades it against the rule of thumb that it replaces, and lets it become
champion only through the gate.

| | |
|---|---|
| **Reads** | `lake.features.*` at training cut-offs, at a recorded lake snapshot; `crm_ai.model_alarms` through its asset |
| **Writes** | MLflow (versions, metrics, model cards), `crm_ai.models`, `crm_ai.data_usability` |
| **Starts** | the agents, when a champion changed |
| **Does not** | score anyone, or put a model in charge that is worse than its baseline |

A model is due when it has no champion yet, when its champion's files cannot be used, when it was last trained more than
`prediction.retrain_after_days` ago, when outcomes have grown by `prediction.retrain_after_new_labels` since, or when an alarm
(drift) is about it; *force* trains all. The same data, day and settings are never trained twice. "Kept champion" is a success.
Where data are too thin for a model of their own a simpler one or a rule is trained, or nobody is scored, and
`crm_ai.data_usability` says what is missing.

**By hand:** `crm-agents run train_models`. **To go back** to the champion before: trigger with *revert* set to the model (or
`crm-agents models revert MODEL`). **When one model fails** the others go on; clear the failed task to repeat it.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, Param, TriggerRule, task

from crm_agents.orchestration import context
from crm_agents.orchestration.assets import ALARMS, CHAMPIONS, CUSTOMER_FEATURES
from crm_agents.orchestration.defaults import at_times, dag_settings

with DAG(
    "train_models",
    schedule=AssetOrTimeSchedule(timetable=at_times("0 3 * * 1"), assets=CUSTOMER_FEATURES | ALARMS),
    doc_md=__doc__,
    params={
        "as_of": context.AS_OF,
        "force": Param(False, type="boolean", title="Force", description="Train although no model is due."),
        "revert": Param(
            None,
            type=["null", "string"],
            title="Revert",
            description="A model whose champion before the present one is to serve again; nothing is trained then.",
        ),
    },
    **dag_settings(owner="machine-learning", tags=("models",)),
) as dag:

    @task(outlets=[CHAMPIONS], doc_md="Puts the champion before the present one in charge again, when asked to.")
    def revert(params: dict | None = None, outlet_events=None) -> str:
        """Revert the model that the parameter names."""
        from airflow.sdk.exceptions import AirflowSkipException

        from crm_agents import registry

        if not params["revert"]:
            raise AirflowSkipException("Nobody asks for an earlier champion.")
        run = context.current_run()
        before, now = registry.revert(params["revert"], run.as_of, run_id=run.run_id)
        outlet_events[CHAMPIONS].extra = {"as_of": run.as_of.isoformat(), "models": [now.model]}
        return f"{now.model}: version {now.version} serves again, before: {before.version}"

    @task.short_circuit(doc_md="Which models are due? None: the rest is skipped.")
    def due(params: dict | None = None) -> list[dict[str, str]]:
        """Return the models to train and the day."""
        from crm_agents import training

        if params["revert"]:
            return []
        run = context.current_run()
        alarmed = {name for names in context.event_extras(ALARMS, "models") for name in names}
        found = training.which_are_due(run.as_of, alarmed=alarmed)
        print("\n".join(one.reason for one in found))
        return [{"model": one.model, "as_of": run.as_of.isoformat()} for one in found if one.is_due or params["force"]]

    @task(doc_md="Features and labels at the training cut-offs.")
    def prepare(chosen: list[dict[str, str]]) -> list[dict[str, str | None]]:
        """Build features and labels at every cut-off that training needs; note for which models that failed."""
        from crm_agents import training

        run = context.run_at(chosen[0]["as_of"])
        built = training.prepare(as_of=run.as_of, run_id=run.run_id, raise_on_failure=False)
        return [{**one, "problem": training.unbuilt(one["model"], built)} for one in chosen]

    @task(map_index_template="{{ task.op_kwargs['chosen']['model'] }}", doc_md="One model, from data check to gate.")
    def train(chosen: dict[str, str | None]) -> dict:
        """Train, judge and register one model."""
        from crm_agents import training
        from crm_agents.errors import CrmAgentsError

        if chosen["problem"]:
            raise CrmAgentsError(chosen["problem"], "Mend it, run build_marts, and clear this task.")
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

    @task(doc_md="What became of each model. Fails when one of them failed, after the others were published.")
    def summary(results: list[dict]) -> dict[str, str]:
        """Return each model's status."""
        return {result["model"]: result["status"] for result in results}

    revert()
    prepared = prepare(due())
    results = train.expand(chosen=prepared)
    publish(prepared, results)
    summary(results)  # a leaf of its own: a failed model fails the run, whatever becomes of the others
