"""
### Test the marts

Runs dbt's tests over whole tables and makes the HTML pages of the gates, beside the way to the scores: the agents do not
wait for it, and neither does the next build.

| | |
|---|---|
| **Reads** | `lake.*`, as it stands when the run begins (one snapshot: what is built meanwhile does not disturb it) |
| **Writes** | `crm_ai.quality_results` (stage `dbt_tests`), Data Docs |
| **Starts when** | marts and features are fresh; changes that come during a run are tested together in the next one |
| **Does not** | stop a run: a failed test is for people to look at |

**By hand:** `crm-agents run test_marts`. **When it fails**, the log names the tests with the number of rows at fault, and
`crm_ai.quality_results` has them all; mend the data or the model and run it again.
"""

from __future__ import annotations

from airflow.sdk import DAG, task

from crm_agents.orchestration import context
from crm_agents.orchestration.assets import CUSTOMER_FEATURES
from crm_agents.orchestration.defaults import dag_settings

with DAG(
    "test_marts",
    schedule=[CUSTOMER_FEATURES],
    doc_md=__doc__,
    params={"as_of": context.AS_OF},
    **dag_settings(owner="data-engineering", tags=("marts",)),
) as dag:

    @task(doc_md="dbt's tests over whole tables.")
    def dbt_tests() -> dict[str, int]:
        """Run every dbt test; fail when one does."""
        from crm_agents import marts

        context.stand_back()
        run = context.current_run()
        return marts.test(as_of=run.as_of, run_id=run.run_id).summary()

    @task(doc_md="HTML pages of every validation.")
    def data_docs() -> str:
        """Write the pages of the runs that this one follows (by hand: of all that are kept) and return their index."""
        from crm_agents import gates

        context.stand_back()
        return str(gates.build_data_docs(*context.event_extras(CUSTOMER_FEATURES, "run_id")))

    dbt_tests()
    data_docs()
