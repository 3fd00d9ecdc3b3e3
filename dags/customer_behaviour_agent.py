"""
### Customer behaviour agent

Who is likely to buy next, who is about to be lost, what each customer is worth, why, and whom to contact now.

| | |
|---|---|
| **Reads** | `features.ftr_customers` at as_of, `marts.fct_orders`, the champions of its models, its own earlier decisions |
| **Writes** | `crm_ai.scores`, `score_reasons`, `score_history`, `customer_values`, `decisions`, `write_ledger`, `agent_runs` |
| **Starts** | when features are fresh or a champion changed, and every morning |
| **Does not** | contact anyone, overwrite a newer score, or invent a number: thin data give `not_scored` with the reason |

Five stages with condition nodes between them: **perceive** (enough data?) → **understand** (champion good enough?) →
**decide** (approval needed?) → **execute** (changed anything?) → explain → **evaluate**.

**By hand:** `crm-agents run customer_behaviour_agent [--as-of DATE]`. **Take a run back:** `crm-agents undo RUN_ID` (the run
id is the first line of *perceive*'s log and in every table). **When it fails**, mend the cause and clear the failed task: every
stage can be repeated without a second effect.
"""

from __future__ import annotations

from airflow.sdk import DAG

from crm_agents.agents import customer_behaviour
from crm_agents.orchestration.agent_dag import agent_dag
from crm_agents.orchestration.assets import CHAMPIONS, CUSTOMER_FEATURES, SCORES

dag: DAG = agent_dag(
    customer_behaviour,
    doc=__doc__,
    every="0 5 * * *",
    fresh=CUSTOMER_FEATURES | CHAMPIONS,
    publishes=SCORES,
    tags=("agent", "customers"),
)
