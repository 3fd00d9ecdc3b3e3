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
2. `build`: every dbt model, in process, only what changed; the tasks of group `layers` show which layer failed and why.
3. `features_gate`: marts and features are fit to be scored; publishes them.
4. Beside the way to the agents: dbt's tests over whole tables, and the pages of Data Docs.

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
    def build(day: dict) -> dict[str, dict]:
        """Run dbt in process; return what happened in each layer."""
        from crm_agents import marts

        run = context.run_at(day["as_of"])
        return marts.build(as_of=run.as_of, run_id=run.run_id, raise_on_failure=False).by_layer()

    @task(trigger_rule=TriggerRule.ALL_DONE, retries=0, doc_md="Shows whether this layer was built, and why not.")
    def layer(name: str, built: dict[str, dict]) -> str:
        """Fail with the reason when a model of layer `name` failed."""
        from crm_agents.errors import CrmAgentsError

        context.stand_back()
        outcome = (built or {}).get(name, {"models": 0, "failed": []})
        if outcome["failed"]:
            raise CrmAgentsError("; ".join(outcome["failed"]))
        return f"{outcome['models']} models"

    @task(outlets=[*MART_ASSETS, CUSTOMER_FEATURES], doc_md="Great Expectations on marts and features; publishes them.")
    def features_gate(day: dict, built: dict[str, dict], outlet_events=None) -> None:
        """Stop on a failed model or a critical finding, else publish marts and features."""
        from crm_agents import gates, marts
        from crm_agents.agents import frame

        run = context.run_at(day["as_of"])
        marts.raise_if_failed(built)
        for check in (gates.check_marts, gates.check_features):
            check(run_id=run.run_id, as_of=run.as_of, after_batch=day["checked_batch"]).raise_if_critical()
        frame.finish(run, "done", batch_id=day["batch_id"])
        for asset in (*MART_ASSETS, CUSTOMER_FEATURES):
            outlet_events[asset].extra = {"as_of": day["as_of"], "run_id": run.run_id}

    @task(doc_md="dbt's tests over whole tables; the agents do not wait for them.")
    def test_marts(day: dict) -> dict[str, int]:
        """Run every dbt test; fail when one does."""
        from crm_agents import marts

        context.stand_back()
        run = context.run_at(day["as_of"])
        return marts.test(as_of=run.as_of, run_id=run.run_id).summary()

    @task(trigger_rule=TriggerRule.ALL_DONE, doc_md="HTML pages of every validation.")
    def data_docs() -> str:
        """Write the Data Docs pages of this run and return their index."""
        from airflow.sdk import get_current_context

        from crm_agents import gates
        from crm_agents.agents.frame import run_id_of

        context.stand_back()
        dag_run = get_current_context()["dag_run"]
        return str(gates.build_data_docs(run_id_of(dag_run.dag_id, dag_run.run_id)))

    day = arrival_gate()
    built = build(day)
    with TaskGroup("layers"):
        for name in ("staging", "intermediate", "marts", "features"):
            layer.override(task_id=name)(name, built)
    gate = features_gate(day, built)
    # Both are leaves: a failed test must fail the run, whatever becomes of the pages.
    gate >> [test_marts(day), data_docs()]
