"""Every model that is trained, by registration: a new model is a folder in ``models_ml/`` and an entry here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Literal

from crm_agents.errors import CrmAgentsError

# When the CRM's own attributes are known, where that is not at once; company.yml (`known_at`) says it of a company's.
KNOWN_AT: dict[str, Literal["creation", "contact", "outcome"]] = {
    "leads.status": "outcome",
    "leads.converted_at": "outcome",
    "leads.opportunity_id": "outcome",
    "opportunities.stage": "contact",
    "opportunities.closed_at": "outcome",
    "opportunities.is_won": "outcome",
    "opportunities.lost_reason": "outcome",
}


@dataclass(frozen=True)
class OutcomeSource:
    """Where it is read what became of a model's scores, in SQL over the lake: all that ``monitoring`` needs to know.

    Parameters
    ----------
    events : str
        SELECT of entity_id, happened_on (date), is_positive, amount: what can happen to an entity, one row an event.
    entities : str
        SELECT of entity_id: those that the company still knows. Of the others nothing can be said.
    due : str
        When an outcome counts: at the end of the ``horizon``, or with the first ``event`` after the score (a deal that is
        closed), whose is_positive is the outcome then.
    is_lapse : bool
        The score is the probability that no positive event comes within the horizon, of entities whose last one is at most as
        many days ago.
    """

    events: str
    entities: str
    due: Literal["horizon", "event"] = "horizon"
    is_lapse: bool = False


NO_PURCHASE_YET = "No purchase yet: there is nothing to judge the next one by."

PURCHASES = OutcomeSource(
    events="select customer_id as entity_id, ordered_on as happened_on, true as is_positive, revenue_amount as amount "
    "from marts.fct_orders where is_purchase",
    entities="select customer_id as entity_id from marts.dim_customers",
)


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
    simpler, rule : str, optional
        What serves where there is too little for a model of its own, and where there is too little even for that, in words
        (the ladder of `usability`; ``train`` fits it, with the name of the rung). Without either nothing is scored.
    attributes_of : str, optional
        CRM table whose attributes the features are, by name: what ``known_at`` in company.yml says of them is obeyed.
    scored_at : str
        Until when attributes are known when the model is asked: at the entity's ``creation``, or at a ``contact`` with it.
    outcome : OutcomeSource, optional
        How what happened is found; without one the model's scores are not judged afterwards.
    horizon : str
        Whose length the label window has: that of the ``prediction``, ``churn`` or ``value`` settings, or a ``month``
        (`horizons`).
    population : str
        SQL condition on the features that a row is scored and learnt from; ``{horizon_days}`` is filled in.
    not_in_population : str
        What is said of those outside it; ``{horizon_days}`` is filled in.
    learns_from : str
        Feature and label tables at cut-offs (``features``), or the purchases themselves (`purchase_log`): whole ``orders``, or
        their ``lines``. The modules of such a model also take ``cutoff``, the day up to which purchases are known.
    gives : str
        A score for each entity, or a ranking.
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
    simpler: str | None = None
    rule: str | None = None
    attributes_of: str | None = None
    scored_at: Literal["creation", "contact"] = "contact"
    outcome: OutcomeSource | None = None
    horizon: Literal["prediction", "churn", "value", "month"] = "prediction"
    population: str = "has_purchased"
    not_in_population: str = NO_PURCHASE_YET
    learns_from: Literal["features", "orders", "lines"] = "features"
    gives: Literal["score", "ranking"] = "score"

    def of(self, horizon_days: int) -> str:
        """Return `population` for a horizon."""
        return self.population.format(horizon_days=horizon_days)

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
        simpler="recency, frequency and value alone decide",
        rule="recency alone decides",
        attributes_of="customers",
        outcome=PURCHASES,
    ),
    ModelSpec(
        name="churn",
        title="Probability that an active customer buys nothing within the window",
        entity_type="customer",
        unit="probability",
        features_table="features.ftr_customers",
        labels_table="features.lbl_customers",
        history_column="tenure_days",
        required_columns=("recency_days", "purchases_total", "revenue_total"),
        entities_are="active customers",
        positive_is="lost afterwards",
        simpler="recency, frequency and value alone decide",
        rule="the days since the last purchase alone decide",
        attributes_of="customers",
        outcome=replace(PURCHASES, is_lapse=True),
        horizon="churn",
        population="recency_days <= {horizon_days}",
        not_in_population="Not active: no purchase within {horizon_days} days, so there is nothing left to lose.",
    ),
    ModelSpec(
        name="lifetime_value",
        title="Revenue that a customer who has bought before will bring within the horizon",
        entity_type="customer",
        unit="amount",
        features_table="marts.fct_orders",
        labels_table="marts.fct_orders",
        history_column="tenure_days",
        required_columns=(),
        entities_are="customers who have bought",
        positive_is="followed by a purchase",
        outcome=PURCHASES,
        horizon="value",
        not_in_population="Returns outweigh every purchase: there is nothing to judge the next one by.",
        learns_from="orders",
    ),
    ModelSpec(
        name="recommendations",
        title="The products that a customer is likeliest to buy next, within the horizon",
        entity_type="customer",
        unit="rank",
        features_table="marts.fct_order_items",
        labels_table="marts.fct_order_items",
        history_column="tenure_days",
        required_columns=(),
        entities_are="customers who have bought",
        positive_is="followed by a purchase",
        simpler="what each customer buys most, and best sellers behind it",
        rule="best sellers are shown to everybody",
        horizon="month",
        learns_from="lines",
        gives="ranking",
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
