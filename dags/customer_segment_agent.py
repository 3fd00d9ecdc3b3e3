"""
### Customer segment agent

Which groups the customers fall into, who belongs where, and who moved.

| | |
|---|---|
| **Reads** | `features.ftr_customers` at as_of, its own last segments |
| **Writes** | `crm_ai.customer_segments`, `segment_moves`, `segment_profiles`, `write_ledger`, `agent_runs`; pictures in MLflow |
| **Starts** | every morning, and when a champion changed (so a new company has segments at once) |
| **Does not** | rename a segment that goes on, or force groups on customers who are all alike: one segment then says so |

K-means with two to eight segments and density clustering are compared by silhouette, by how far fits on halves of the customers
agree, and by limits on the size; *choice.png* of the MLflow run shows it. Later runs of a day assign whose features changed.

**By hand:** `crm-agents run customer_segment_agent [--as-of DATE]`. **Take a run back:** `crm-agents undo RUN_ID`. **When it
fails**, mend the cause and clear the failed task: every stage can be repeated without a second effect.
"""

from __future__ import annotations

from airflow.sdk import DAG

from crm_agents.agents import customer_segments
from crm_agents.orchestration.agent_dag import agent_dag
from crm_agents.orchestration.assets import CHAMPIONS, SEGMENTS

dag: DAG = agent_dag(
    customer_segments,
    doc=__doc__,
    every="15 5 * * *",
    fresh=CHAMPIONS,
    publishes=SEGMENTS,
    tags=("agent", "customers"),
)
