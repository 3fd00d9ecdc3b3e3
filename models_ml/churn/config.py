"""What the model reads, and what it has to beat; how any such model is fitted is in ``models_ml.core.propensity``."""

from __future__ import annotations

from models_ml.core import customer_features as customers
from models_ml.core.propensity.baselines import Regression, ShareOfAll, Silence
from models_ml.core.propensity.settings import Fitter

LABEL = "has_lapsed_next"
POPULATION = "is_active"
ENTITY = customers.ENTITY
CUTOFF = customers.CUTOFF
PRIMARY_METRIC = "brier"
POSITIVE = "were lost"

SLICES = customers.SLICES
SIZE_COLUMN = customers.SIZE_COLUMN
TIMES = customers.TIMES

FEATURES = customers.FEATURES
LINEAR_FEATURES = customers.RHYTHM
# What speaks for a purchase speaks against losing the customer.
DIRECTIONS = {name: -direction for name, direction in customers.TOWARDS_A_PURCHASE.items()}

# What a company does without a model: who has been silent for so long counts as lost.
BASELINE = Silence()
LADDER: dict[str, tuple[Fitter, Fitter]] = {
    "simpler_model": (Regression(customers.RFM), BASELINE),
    "rule": (BASELINE, ShareOfAll(("recency_days",))),
}

# The window is one of these: so that it stays the same while the company's rhythm changes a little.
WINDOWS_DAYS = (30, 60, 90, 120, 180, 270, 365)
# Of the gaps between a customer's purchases this share is shorter than the window: whoever is silent for longer is late by the
# company's own standards.
GAP_QUANTILE = 0.9
