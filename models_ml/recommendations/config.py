"""What recommendations are learnt from, what is tried, and why these numbers."""

from __future__ import annotations

SEED = 20_260_101
# A recommendation is right when the product is bought within these days; ten are shown.
HORIZON_DAYS = 30
SHOWN = 10
ENTITY = "customer_id"
PRIMARY_METRIC = "one_minus_ndcg"
# What is shown where data are too thin to compare models.
LADDER = {"simpler_model": "personal_frequency", "rule": "popularity"}

# Ridge of the linear autoencoder: recall on validation months moves by less than 3 % between 100 and 300.
RIDGE = 200.0
# What was bought longer ago says less: weight = FLOOR + 0.5 ** (age / HALF_LIFE_DAYS).
HALF_LIFE_DAYS, FLOOR = 90.0, 0.3
RECENT_DAYS = 30

# The ranker chooses among everything that the customer has bought, this many of the autoencoder's best, and these best sellers.
AUTOENCODER_CANDIDATES = 60
BEST_SELLERS = 40
# Months that the ranker learns from, newest first, and the customers at most that each gives.
RANKER_MONTHS = 4
RANKER_CUSTOMERS = 4_000
RANKER_ROUNDS = 200
RANKER_PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.06,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "min_child_weight": 20,
    "verbosity": 0,
}
# Fewer customers who come back than this, and the ranker has nothing to learn from: simpler ones are compared.
FEWEST_RETURNING = 50
# Customers at once: keeps memory small.
BLOCK_ROWS = 2_000
