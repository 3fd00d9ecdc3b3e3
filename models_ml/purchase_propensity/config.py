"""What the model reads, how it is fitted, and why these numbers."""

from __future__ import annotations

from models_ml.core.leakage import Times

LABEL = "has_purchased_next"
POPULATION = "has_purchased"
ENTITY = "customer_id"
CUTOFF = "as_of"
PRIMARY_METRIC = "brier"

# Columns by which the model is judged, never fitted: a model must not tell customers apart by where they live. Beside them
# it is judged by size: thirds of SIZE_COLUMN among the rows it is judged on.
SLICES = ("kind", "country", "region", "industry")
SIZE_COLUMN = "revenue_total"
# The features are built as of a day, so their ages can never be negative; the leakage check holds them to it.
TIMES = Times(as_of=CUTOFF, ages=("recency_days", "tenure_days", "account_age_days", "days_since_interaction"))
MIN_SLICE_ROWS = 200

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
BASELINE_FEATURES = ("recency_days", "purchases_total", "revenue_total")
# The ladder for thin data: what a regression reads there, and what the baseline reads that it has to beat. Ten purchases and
# ten silences for each coefficient (minimum_data in company.yml) are what such a regression is usually said to need.
LADDER: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "simpler_model": (BASELINE_FEATURES, ("recency_days",)),
    "rule": (("recency_days",), ()),
}
# The regression in the blend: RFM, and the rhythm of buying that recency has to be compared with.
LINEAR_FEATURES = (
    *BASELINE_FEATURES,
    "tenure_days",
    "purchases_90d",
    "distinct_products",
    "items_total",
    "active_months_365d",
    "mean_gap_days",
    "overdue_ratio",
)

# What nobody would believe the other way round, all else equal: more purchases speak for the next one, a longer silence
# against it. Held in both parts of the blend (validation log loss moves by less than 0.002), so that no salesperson reads
# "has bought 12 times: speaks against". The rhythm columns stay free: someone who bought yesterday may be done for now.
DIRECTIONS = {
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

# Shallow and slow: few thousand rows with noisy labels. Row and column sampling and 20 customers' worth of weight in a
# leaf kept validation log loss flat on retail, grocery and apparel data alike; depth stays at 3 for exact contributions.
TREE_PARAMETERS = {"min_child_weight": 20, "subsample": 0.7, "colsample_bytree": 0.7, "reg_lambda": 5.0}
# Tried on validation cut-offs inside the training window: slow for thousands of rows, faster for millions.
LEARNING_RATES = (0.025, 0.06)
TREE_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
VALIDATION_CUTOFFS = 3
# Where the level of the probabilities comes from (`tuning.LEVEL_RULES`): the lowest mean Brier score over 48 pseudo-tests
# inside training windows (benchmarks/calibration_level.py; docs/models.md has the figures).
LEVEL = "all_cutoffs"
# Choosing between a few settings needs no more rows than this.
MAX_TUNING_ROWS = 200_000
SEED = 20_260_101
