"""
### Maintain the lake

Merges small Parquet files and expires snapshots older than thirty days, except those that a model version was trained on: a
training set can always be read again.

| | |
|---|---|
| **Reads** | the lake's catalog, `crm_ai.models` |
| **Writes** | the lake's files (same rows, fewer files) |
| **Does not** | change any row or delete a snapshot that a model refers to |

**By hand:** `crm-agents run maintain_lake`. **When it fails** nothing is lost; run it again.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

from crm_agents.orchestration.defaults import at_times, dag_settings

with DAG(
    "maintain_lake",
    schedule=at_times("30 2 * * *"),
    doc_md=__doc__,
    params={
        "keep_days": Param(30, type="integer", minimum=1, title="Keep days", description="Younger snapshots stay.")
    },
    **dag_settings(owner="data-engineering", tags=("upkeep",)),
) as dag:

    @task(doc_md="Merges files, expires snapshots, removes files that nothing refers to.")
    def maintain(params: dict | None = None) -> dict[str, int]:
        """Do the upkeep and return what it did."""
        from dataclasses import asdict

        from crm_agents import upkeep

        return asdict(upkeep.maintain(keep_days=params["keep_days"]))

    maintain()
