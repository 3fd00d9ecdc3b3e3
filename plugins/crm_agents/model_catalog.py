"""Every model that is trained, by registration: a new model is a folder in ``models_ml/`` and an entry here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from crm_agents.errors import CrmAgentsError


@dataclass(frozen=True)
class ModelSpec:
    """What training needs to know of a model that its folder in ``models_ml/`` does not say.

    Parameters
    ----------
    name : str
        Also the folder ``models_ml/<name>/``, which has modules config, features, train, evaluate and predict.
    title : str
        What it predicts, for people.
    features_table, labels_table : str
        Lake tables, one row per entity and cut-off.
    history_column : str
        Feature with the days since an entity's first event: its maximum is the length of the history.
    required_columns : tuple of str
        Features that the model cannot do without.
    entities_are, positive_is : str
        How its population and its positive label are called in sentences.
    rule : str, optional
        What takes over where data are too thin; without one nothing is scored.
    """

    name: str
    title: str
    entity_type: str
    unit: str
    features_table: str
    labels_table: str
    history_column: str
    required_columns: tuple[str, ...]
    entities_are: str
    positive_is: str
    rule: str | None = None

    def module(self, part: str) -> ModuleType:
        """Return ``models_ml.<name>.<part>``."""
        return importlib.import_module(f"models_ml.{self.name}.{part}")


MODELS: tuple[ModelSpec, ...] = (
    ModelSpec(
        name="purchase_propensity",
        title="Probability that a customer who has bought before buys again within the horizon",
        entity_type="customer",
        unit="probability",
        features_table="features.ftr_customers",
        labels_table="features.lbl_customers",
        history_column="tenure_days",
        required_columns=("recency_days", "purchases_total", "revenue_total"),
        entities_are="customers who have bought",
        positive_is="followed by a purchase",
    ),
)


def find_model(name: str) -> ModelSpec:
    """Return the entry of model `name`.

    Raises
    ------
    CrmAgentsError
        When there is none, naming those that exist.
    """
    for spec in MODELS:
        if spec.name == name:
            return spec
    raise CrmAgentsError(f"There is no model {name!r}.", f"Models: {', '.join(spec.name for spec in MODELS)}.")
