"""
### Build the marts

Checks what arrived, builds the lake's layers with dbt, and checks what the agents will read.

| | |
|---|---|
| **Reads** | `lake.raw.*` |
| **Writes** | `lake.staging`, `.intermediate`, `.marts`, `.features`; `crm_ai.quality_results`; Data Docs (HTML) |
| **Starts** | `train_models` and every agent, when marts and features have passed their gate |
| **Does not** | change the CRM or drop rows: what cannot be used is in `crm_ai.quarantine` |

1. `arrival_gate`: Great Expectations on the batch that arrived. *critical* stops here, *warning* goes on; both leave rows in
   `crm_ai.quality_results`.
2. `build`: every dbt model, in process, only what changed.
3. `features_gate`: marts and features are fit to be scored; publishes them.
4. Only when something failed: the tasks of group `layers` show which layer failed and why (the others stay skipped), and
   `data_docs` makes the HTML pages of the gates. In a good run the DAG `test_marts` makes them, beside the way to the agents.

**By hand:** `crm-agents run build_marts [--as-of DATE]`. **When it fails**, the last line of the failed task's log names the
model or rule; mend the data or the model and clear the task: every step can be repeated.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup, TriggerRule, task

from crm_agents.orchestration import context
from crm_agents.orchestration.assets import CUSTOMER_FEATURES, MART_ASSETS, RAW
from crm_agents.orchestration.defaults import dag_settings

with DAG(
    "build_marts",
    schedule=[RAW],
    doc_md=__doc__,
    params={"as_of": context.AS_OF},
    **dag_settings(owner="data-engineering", tags=("marts",)),
) as dag:

    @task(doc_md="Great Expectations on the batch that arrived.")
    def arrival_gate() -> dict:
        """Check what arrived since the last build; return the day and the batches to build for."""
        from crm_agents import build_log, gates, lake, marts
        from crm_agents.company import loaded_company

        run, built = context.current_run(), build_log.last_build()
        with lake.connect() as connection:
            batch = marts.newest_batch(connection)
        gates.check_arrival(
            run_id=run.run_id, as_of=run.as_of, batch_id=batch, company=loaded_company()
        ).raise_if_critical()
        # Rows of the same day that an earlier build has put through the gates need not be looked at again.
        checked = built.batch_id if built and built.as_of == run.as_of and built.batch_id < batch else None
        return {"as_of": run.as_of.isoformat(), "batch_id": batch, "checked_batch": checked}

    @task(doc_md="All dbt models that the marts and the features of this day need.")
    def build(day: dict, ti=None) -> dict[str, int]:
        """Run dbt in process; fail when a model does."""
        from crm_agents import marts

        run = context.run_at(day["as_of"])
        layers = marts.build(as_of=run.as_of, run_id=run.run_id, raise_on_failure=False).by_layer()
        ti.xcom_push("layers", layers)
        marts.raise_if_failed(layers)
        return {name: layer["models"] for name, layer in layers.items()}

    @task(outlets=[*MART_ASSETS, CUSTOMER_FEATURES], doc_md="Great Expectations on marts and features; publishes them.")
    def features_gate(day: dict, outlet_events=None) -> None:
        """Stop on a critical finding, else publish marts and features."""
        from crm_agents import gates
        from crm_agents.agents import frame

        run = context.run_at(day["as_of"])
        for check in (gates.check_marts, gates.check_features):
            check(run_id=run.run_id, as_of=run.as_of, after_batch=day["checked_batch"]).raise_if_critical()
        frame.finish(run, "done", batch_id=day["batch_id"])
        for asset in (*MART_ASSETS, CUSTOMER_FEATURES):
            outlet_events[asset].extra = {"as_of": day["as_of"], "run_id": run.run_id}

    @task(trigger_rule=TriggerRule.ONE_FAILED, retries=0, doc_md="Runs when the build failed: red names the model.")
    def layer(name: str, ti=None) -> str:
        """Fail with the reason when a model of layer `name` failed."""
        from airflow.sdk.exceptions import AirflowSkipException

        from crm_agents.errors import CrmAgentsError

        outcome = (ti.xcom_pull(task_ids="build", key="layers") or {}).get(name)
        if not outcome:
            raise AirflowSkipException("Nothing of this layer was built.")
        if outcome["failed"]:
            raise CrmAgentsError("; ".join(outcome["failed"]))
        return f"{outcome['models']} models"

    @task(trigger_rule=TriggerRule.ONE_FAILED, doc_md="Runs when a gate or the build failed: HTML pages of the gates.")
    def data_docs() -> str:
        """Write the Data Docs pages of this run and return their index."""
        from crm_agents import gates

        return str(gates.build_data_docs(context.this_run_id()))

    day = arrival_gate()
    built = build(day)
    gate = features_gate(day)
    day >> built >> gate
    with TaskGroup("layers", tooltip="Which layer failed, and why"):
        for name in ("staging", "intermediate", "marts", "features"):
            built >> layer.override(task_id=name)(name)
    [day, built, gate] >> data_docs()
