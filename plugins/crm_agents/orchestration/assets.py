"""The assets that link the DAGs: a DAG starts when what it reads is fresh."""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from crm_agents.orchestration.crm_watcher import CrmChanged

MARTS = (
    "dim_customers",
    "dim_products",
    "dim_reps",
    "dim_dates",
    "fct_orders",
    "fct_order_items",
    "fct_interactions",
    "fct_opportunities",
    "fct_tickets",
    "fct_leads",
    "fct_sales_daily",
)

CRM = Asset(
    name="crm", uri="x-crm://crm", group="crm", watchers=[AssetWatcher(name="crm_changed", trigger=CrmChanged())]
)
RAW = Asset(name="raw", uri="x-lake://raw", group="lake")
MART_ASSETS = tuple(Asset(name=f"marts.{name}", uri=f"x-lake://marts/{name}", group="marts") for name in MARTS)
CUSTOMER_FEATURES = Asset(name="features.ftr_customers", uri="x-lake://features/ftr_customers", group="features")
CHAMPIONS = Asset(name="champions", uri="x-mlflow://champions", group="models")
SCORES = Asset(name="crm_ai.scores", uri="x-crm://crm_ai/scores", group="crm_ai")
SEGMENTS = Asset(name="crm_ai.customer_segments", uri="x-crm://crm_ai/customer_segments", group="crm_ai")
RECOMMENDATIONS = Asset(name="crm_ai.recommendations", uri="x-crm://crm_ai/recommendations", group="crm_ai")
ALARMS = Asset(name="model_alarms", uri="x-crm://crm_ai/model_alarms", group="crm_ai")
