"""What is known of a customer as of a day (the columns of ``features.ftr_customers``), for every model of customers."""

from __future__ import annotations

from models_ml.core.leakage import Times

ENTITY = "customer_id"
CUTOFF = "as_of"
# Columns by which models are judged, never fitted: a model must not tell customers apart by where they live. Beside them they
# are judged by size: thirds of SIZE_COLUMN among the rows that they are judged on.
SLICES = ("kind", "country", "region", "industry")
SIZE_COLUMN = "revenue_total"
# The features are built as of a day, so their ages can never be negative; the leakage check holds them to it.
TIMES = Times(as_of=CUTOFF, ages=("recency_days", "tenure_days", "account_age_days", "days_since_interaction"))

FEATURES = (
    "recency_days",
    "tenure_days",
    "account_age_days",
    "purchases_total",
    "purchases_30d",
    "purchases_90d",
    "purchases_180d",
    "purchases_365d",
    "revenue_total",
    "revenue_30d",
    "revenue_90d",
    "revenue_180d",
    "revenue_365d",
    "average_order_value",
    "items_total",
    "distinct_products",
    "mean_gap_days",
    "gap_stddev_days",
    "overdue_ratio",
    "active_months_365d",
    "cancellations_total",
    "cancellation_share",
    "discount_share",
    "late_deliveries_180d",
    "web_visits_7d",
    "web_visits_30d",
    "emails_sent_90d",
    "emails_opened_90d",
    "emails_clicked_90d",
    "calls_90d",
    "days_since_interaction",
    "tickets_open",
    "tickets_90d",
    "feedback_score_mean",
    "loyalty_points",
    "campaigns_sent_90d",
)
# Recency, frequency, value: what a marketer would use without machine learning.
RFM = ("recency_days", "purchases_total", "revenue_total")
# RFM, and the rhythm of buying that recency has to be compared with.
RHYTHM = (
    *RFM,
    "tenure_days",
    "purchases_90d",
    "distinct_products",
    "items_total",
    "active_months_365d",
    "mean_gap_days",
    "overdue_ratio",
)

# What nobody would believe the other way round, all else equal: more purchases speak for the next one, a longer silence
# against it. Held in every part of a model (validation log loss moves by less than 0.002), so that no salesperson reads
# "has bought 12 times: speaks against". The rhythm columns stay free: someone who bought yesterday may be done for now.
TOWARDS_A_PURCHASE = {
    "recency_days": -1,
    "purchases_total": 1,
    "purchases_30d": 1,
    "purchases_90d": 1,
    "purchases_180d": 1,
    "purchases_365d": 1,
    "revenue_total": 1,
    "revenue_30d": 1,
    "revenue_90d": 1,
    "revenue_180d": 1,
    "revenue_365d": 1,
    "items_total": 1,
    "distinct_products": 1,
    "active_months_365d": 1,
}
