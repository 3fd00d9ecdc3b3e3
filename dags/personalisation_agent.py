"""
### Personalisation agent

Which products each customer is likeliest to buy next, and what to do for them, if anything.

| | |
|---|---|
| **Reads** | `marts.fct_order_items`, `dim_products`, `features.ftr_customers` at as_of, churn scores, consents, its own log |
| **Writes** | `crm_ai.recommendations`, `decisions`, `outbox`, `suppressions`, `write_ledger`, `agent_runs`; MLflow (policy) |
| **Starts** | every morning, and when champions and then scores have changed (so a new company has all of it at once) |
| **Does not** | send anything, contact anyone without valid consent, or touch the control arm |

Each customer has one day in every outcome window on which the policy chooses among the actions of company.yml, or nothing;
greetings, win-back and care follow rules (docs/personalisation.md). **consent_given** asks the rules of consent and frequency
before anything is written, and *execute* asks them once more. The policy learns from outcomes in *evaluate* and is replaced only
by one that the log shows to be better.

**By hand:** `crm-agents run personalisation_agent [--as-of DATE]`. **Take a run back:** `crm-agents undo RUN_ID`. **When it
fails**, mend the cause and clear the failed task: every stage can be repeated without a second effect.
"""

from __future__ import annotations

from airflow.sdk import DAG

from crm_agents.agents import personalisation
from crm_agents.orchestration.agent_dag import agent_dag
from crm_agents.orchestration.assets import CHAMPIONS, RECOMMENDATIONS, SCORES

dag: DAG = agent_dag(
    personalisation,
    doc=__doc__,
    every="30 5 * * *",
    fresh=CHAMPIONS & SCORES,
    publishes=RECOMMENDATIONS,
    tags=("agent", "customers"),
)
