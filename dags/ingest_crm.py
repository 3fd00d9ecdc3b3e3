"""
### Ingest the CRM

Brings every change of the CRM (PostgreSQL schema `crm`) into the lake (`lake.raw`): new and changed rows by watermark,
deleted rows as tombstones, all tables in one lake transaction.

| | |
|---|---|
| **Reads** | `crm.*` |
| **Writes** | `lake.raw.*`, `crm_ai.ingest_counts`, rows whose type changed: `crm_ai.quarantine` |
| **Starts when** | the CRM was written to (noticed within a second), and every quarter of an hour |
| **Starts** | `build_marts`, when anything moved |
| **Does not** | judge the data (that is `build_marts`' gate) or change the CRM |

**By hand:** `crm-agents run` (this DAG and everything that follows from it), or *Trigger* with *publish = always* to let
the rest run although nothing is new.

**When it fails** nothing has changed in the lake; mend the cause (the last line of the log says what) and run it again. A
skipped task means that nothing was new.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, Param, task

from crm_agents.orchestration import context
from crm_agents.orchestration.assets import CRM, RAW
from crm_agents.orchestration.defaults import at_times, dag_settings

with DAG(
    "ingest_crm",
    schedule=AssetOrTimeSchedule(timetable=at_times("*/15 * * * *"), assets=[CRM]),
    doc_md=__doc__,
    params={
        "as_of": context.AS_OF,
        "publish": Param(
            "when_changed",
            enum=["when_changed", "always"],
            title="Publish",
            description="Start the DAGs that follow only when something moved, or in any case.",
        ),
    },
    **dag_settings(owner="data-engineering", tags=("ingest",)),
) as dag:

    @task(outlets=[RAW], doc_md="Moves what changed; skipped when nothing did.")
    def ingest(params: dict | None = None, outlet_events=None, dag_run=None) -> dict[str, int]:
        """Move the changes and publish them."""
        from datetime import date

        from airflow.sdk.exceptions import AirflowSkipException

        from crm_agents import ingest as crm_ingest
        from crm_agents.agents.frame import run_id_of
        from crm_agents.company import is_company_loaded, loaded_company

        if not is_company_loaded():
            raise AirflowSkipException("No company has been loaded yet: `crm-agents load simulated`.")
        run_id = run_id_of(dag_run.dag_id, dag_run.run_id)
        result = crm_ingest.run(run_id=run_id, progress=print)
        if not crm_ingest.is_worth_publishing(result, always=params["publish"] == "always"):
            raise AirflowSkipException("Nothing is new in the CRM.")
        chosen = params["as_of"]
        as_of = (
            date.fromisoformat(chosen) if chosen else context.company_today(loaded_company(), dag_run.run_after.date())
        )
        outlet_events[RAW].extra = {"as_of": as_of.isoformat(), "batch_id": result.batch_id, "run_id": run_id}
        return {counts.table: counts.upserted + counts.deleted for counts in result.tables}

    ingest()
