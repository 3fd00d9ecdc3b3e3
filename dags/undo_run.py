"""
### Undo a run

Takes everything back that a run wrote: changed rows get their old values (scores also their old reasons), inserted rows go.
Rows that a person or a later run has changed since stay as they are and are listed in the log.

| | |
|---|---|
| **Reads** | `crm_ai.write_ledger`, the reasons kept in the lake's `predictions` |
| **Writes** | the tables that the run wrote, `crm_ai.score_history`, `decisions`, `write_ledger` (undone_at), `agent_runs` |
| **Does not** | touch what was changed since, or undo an undo: run the agent again to get its results back |

**By hand:** trigger it with the run's id (in `crm_ai.agent_runs` and in every row that the run wrote), or `crm-agents undo
RUN_ID`. **When it fails** nothing has changed: all of it is one transaction, and the log's last line says why.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

from crm_agents.orchestration.assets import SCORES
from crm_agents.orchestration.defaults import dag_settings

with DAG(
    "undo_run",
    schedule=None,
    doc_md=__doc__,
    params={
        "run_id": Param(
            "",
            type="string",
            minLength=1,
            title="Run to take back",
            description="Its id, for example customer_behaviour_agent-1f2e3d4c5b.",
        )
    },
    **dag_settings(owner="customer-agents", tags=("agent", "upkeep"), retries=0),
) as dag:

    @task(outlets=[SCORES], doc_md="Restores old values and reasons, removes what was inserted, lists what stays.")
    def undo(params: dict | None = None) -> dict:
        """Take the run back and return what was done."""
        from dataclasses import asdict

        from crm_agents import undo as undoing
        from crm_agents.agents import frame
        from crm_agents.orchestration import context

        report = undoing.undo(params["run_id"].strip())
        print(report.summary, *report.kept, sep="\n")
        frame.finish(context.current_run(), "done", report.summary, writes=report.restored + report.removed)
        return asdict(report)

    undo()
