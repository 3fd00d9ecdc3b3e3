"""What the model is made of, and why these numbers."""

from __future__ import annotations

from models_ml.lifetime_value.likelihood import Family

ENTITY = "customer_id"
MONTHS = (3, 6, 12)
WEEKS_PER_MONTH = 365.25 / 12 / 7
LEVEL = 0.9  # of the intervals
INTERVAL_SHARE = 0.8  # of those beside each customer's value: lo80 and hi80

# A new version is compared with the one that serves by the error of the amounts, and graded by who is found, against "average
# monthly value x months x retention": how much budget a customer is worth, and whom to spend it on.
PRIMARY_METRIC = "rmse"
TOP_SHARE = 0.2
MIN_SLICE_ROWS = 200
# Upper ends of the groups by repeat purchases in which predicted and real totals are compared.
FREQUENCY_GROUPS = (0, 1, 3, 7, 15)

# Families that are always fitted; beside them the MBG/CNBD-k of the likeliest k. Their mean serves: on rolling origins inside the
# grocery calibration year no way of picking one beat it (docs/models.md).
FAMILIES = (Family(1, lost_at_once=False), Family(1, lost_at_once=True))
REGULARITIES = (1, 2, 3, 4)

# Where the level is learnt: forecasts from these shares of the history to its end, beside what was bought there. From two
# years on, one forecast of the last year, so that no season is taken for a level.
ORIGINS = (0.5, 0.625, 0.75)
WEEKS_FOR_A_WHOLE_YEAR = 104.0
# Share (of the logarithm) of the seen bias that is taken off, settled one level further inside the grocery calibration year
# (benchmarks/lifetime_value_accuracy.py inner). On its two longest histories half leaves +4.3 % and +3.9 %, this -0.6 % and
# -0.2 %, the whole -5.3 % and -4.2 %. Shorter ones, whose customers had just been won, speak for less.
CORRECTION_SHARE = 0.75
# Purchases on both sides of the ratio that speak for a factor of 1: a hundred purchases seen are not a level yet.
PRIOR_PURCHASES = 50.0

# Below this there is nothing to learn from, and the reason is said instead of a score.
MIN_CUSTOMERS = 50
MIN_REPEATERS = 25
MIN_REPEAT_SHARE = 0.01

# The trees beside the models: shallow, slow, and with enough customers in a leaf.
TREE_PARAMETERS = {
    "max_depth": 3,
    "learning_rate": 0.05,
    "min_child_weight": 20,
    "subsample": 0.7,
    "colsample_bytree": 0.7,
    "reg_lambda": 5.0,
    "tree_method": "hist",
    "verbosity": 0,
}
ROUNDS = 150
SEED = 20_260_101
