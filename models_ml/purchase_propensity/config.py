"""What the model reads, and what it has to beat; how any such model is fitted is in ``models_ml.core.propensity``."""

from __future__ import annotations

from models_ml.core import customer_features as customers
from models_ml.core.propensity.baselines import Regression, ShareOfAll
from models_ml.core.propensity.settings import Fitter

LABEL = "has_purchased_next"
POPULATION = "has_purchased"
ENTITY = customers.ENTITY
CUTOFF = customers.CUTOFF
PRIMARY_METRIC = "brier"
POSITIVE = "bought"

SLICES = customers.SLICES
SIZE_COLUMN = customers.SIZE_COLUMN
TIMES = customers.TIMES

FEATURES = customers.FEATURES
LINEAR_FEATURES = customers.RHYTHM
DIRECTIONS = customers.TOWARDS_A_PURCHASE

BASELINE = Regression(customers.RFM)
# The ladder for thin data: what is fitted there, and what that has to beat. Ten purchases and ten silences for each
# coefficient (minimum_data in company.yml) are what such a regression is usually said to need.
LADDER: dict[str, tuple[Fitter, Fitter]] = {
    "simpler_model": (BASELINE, Regression(("recency_days",))),
    "rule": (Regression(("recency_days",)), ShareOfAll(("recency_days",))),
}
