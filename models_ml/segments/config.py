"""What segmentation reads, what it tries, and why these numbers."""

from __future__ import annotations

ENTITY = "customer_id"
POPULATION = "has_purchased"
SEED = 20_260_101

# Recency, frequency and value count fully; behaviour half: it tells alike buyers apart, it must not hide who buys.
WEIGHTS: dict[str, float] = {
    "recency_days": 1.0,
    "purchases_365d": 1.0,
    "revenue_365d": 1.0,
    "average_order_value": 1.0,
    "tenure_days": 0.5,
    "distinct_products": 0.5,
    "discount_share": 0.5,
    "web_visits_30d": 0.5,
    "emails_opened_90d": 0.5,
}
# Counts, days and amounts have long tails: one buyer of a hundred is not ten times as far from ten as ten is from one.
LOGARITHMIC = frozenset(WEIGHTS) - {"discount_share"}
# Beyond these quantiles everybody counts as equally extreme.
CLIPPED_AT = (0.01, 0.99)

NUMBERS = (2, 3, 4, 5, 6, 7, 8)
# Density clustering: a group of fewer than this share (and 15 customers) is noise.
DENSITY_SHARE = 0.03
DENSITY_FEWEST = 15
# Rows on which clusters are fitted, and on which silhouette (quadratic) and density clustering are computed.
FIT_ROWS = 20_000
SILHOUETTE_ROWS = 3_000
DENSITY_ROWS = 3_000
RESAMPLES = 3
# A segment smaller than that is nobody's campaign, a larger one is no segment.
SMALLEST_SHARE = 0.02
LARGEST_SHARE = 0.7
# Fits on halves of the customers must agree that far (adjusted Rand index); of those that do, the largest number of
# segments wins that is nearly as clear (silhouette) as the clearest: two groups are nearly always the clearest, and no use.
LEAST_STABILITY = 0.75
NEARLY_AS_CLEAR = 0.7
# Fewer customers than this are one segment.
FEWEST_CUSTOMERS = 50
# A new centre is the continuation of an old one when it lies nearer than this share of the mean distance between centres.
SAME_WITHIN = 0.5
NONE_ID = 0
