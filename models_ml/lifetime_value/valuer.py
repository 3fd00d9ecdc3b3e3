"""The chosen model as it is kept: what it is, and all that it has learnt. Purchases are looked up when it is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from models_ml.lifetime_value import config
from models_ml.lifetime_value.features import features
from models_ml.lifetime_value.history import DAYS_PER_WEEK, days_of_purchase, summarise
from models_ml.lifetime_value.lifetime import SMALLEST, LifetimeValueModel, factors, months_ahead
from models_ml.lifetime_value.rule import months_in, per_month
from models_ml.lifetime_value.two_part import TwoPart, predict_two_part

FORMAT = 1
FILE = "valuer.json"
COLUMNS = (config.ENTITY, "bought_on", "amount")
Kind = Literal["models", "trees", "rule"]
# What the expected value is the product of, times `Valuer.scale`.
FACTORS: dict[Kind, tuple[str, ...]] = {
    "models": ("probability_alive", "purchases_if_alive", "value_of_a_purchase"),
    "trees": ("probability_buys", "value_if_buys"),
    "rule": ("value_per_month",),
}


@dataclass(frozen=True)
class Valuer:
    """A model that can be asked about any purchases, for one horizon.

    Parameters
    ----------
    kind : str
        ``"models"`` (of buying and spending), ``"trees"`` (two-part) or ``"rule"`` (of thumb).
    centre : dict
        Mean of each factor over the customers learnt from: the customer that reasons compare with.
    models : LifetimeValueModel or None
        Also beside the trees: they say how the value is spread over the months, and P(alive). None for the rule.
    trees : TwoPart or None
        For ``"trees"``.
    retention : float or None
        For ``"rule"``.
    facts : dict
        What a reader of the file wants to know; plain JSON, with horizon_days.
    """

    kind: Kind
    centre: dict[str, float]
    models: LifetimeValueModel | None = None
    trees: TwoPart | None = None
    retention: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of the purchases that it reads."""
        return COLUMNS

    @property
    def factors(self) -> tuple[str, ...]:
        """Columns of `values` whose product, times `scale`, is the expected value."""
        return FACTORS[self.kind]

    @property
    def horizon_days(self) -> int:
        """Days that it looks ahead."""
        return int(self.facts["horizon_days"])

    @property
    def scale(self) -> float:
        """What the product of the factors is multiplied by."""
        return 1.0 if self.retention is None else months_in(self.horizon_days) * self.retention

    def values(self, days: pd.DataFrame, as_of: date) -> pd.DataFrame:
        """Return what each customer known at the end of `as_of` will bring within the horizon.

        Parameters
        ----------
        days : DataFrame
            From `days_of`; rows after `as_of` are not read.

        Returns
        -------
        DataFrame
            customer_id, purchases (days with one so far), days_since_purchase, expected_value and the `factors`; sorted by
            customer.
        """
        summary = summarise(days, as_of)
        found = summary[[config.ENTITY]].assign(
            purchases=summary["frequency"] + 1,
            days_since_purchase=((summary["T"] - summary["recency"]) * DAYS_PER_WEEK).round(),
        )
        parts = self._factors(days, summary, as_of)
        expected = self.scale * np.prod(parts[list(self.factors)].to_numpy(dtype=np.float64), axis=1)
        return found.join(parts).assign(expected_value=expected)

    def months(self, days: pd.DataFrame, as_of: date) -> pd.DataFrame:
        """Return `values` with probability_alive and, for 3, 6 and 12 months, expected purchases and value with 80 % bounds.

        What the models of buying say of 12 months is drawn to the level of the trees where those serve. The rule of thumb
        knows neither P(alive) nor bounds: they are NaN.
        """
        found = self.values(days, as_of)
        summary = summarise(days, as_of)
        if self.models is None:
            return found.assign(probability_alive=np.nan, **self._months_of_rule(days, as_of))
        columns = months_ahead(self.models, summary)
        if self.kind == "models":
            return found.assign(**columns)
        own = factors(self.models, summary, self.horizon_days)
        count = own["probability_alive"] * own["purchases_if_alive"]
        worth = _level(found["expected_value"], count * own["value_of_a_purchase"])
        often = _level(found["expected_purchases"], count)
        level = {name: values * (often if "purchases" in name else worth) for name, values in columns.items()}
        return found.assign(probability_alive=own["probability_alive"], **level)

    def _factors(self, days: pd.DataFrame, summary: pd.DataFrame, as_of: date) -> pd.DataFrame:
        if self.kind == "rule":
            return per_month(days, as_of)[["value_per_month"]]
        if self.trees is not None and self.kind == "trees":
            found = predict_two_part(self.trees, features(days, as_of))
            if_buys: pd.Series = found["expected_value"] / np.maximum(found["probability_buys"], SMALLEST)
            return found[["probability_buys", "expected_purchases"]].assign(value_if_buys=if_buys)
        assert self.models is not None
        return factors(self.models, summary, self.horizon_days)

    def _months_of_rule(self, days: pd.DataFrame, as_of: date) -> dict[str, Any]:
        monthly = per_month(days, as_of)
        columns: dict[str, Any] = {}
        for month in config.MONTHS:
            kept = month * (self.retention or 0.0)
            columns[f"expected_purchases_{month}m"] = monthly["purchases_per_month"] * kept
            columns[f"expected_value_{month}m"] = monthly["value_per_month"] * kept
            columns |= {f"expected_value_{month}m_{bound}": np.nan for bound in ("lo80", "hi80")}
        return columns

    def save(self, folder: Path) -> None:
        """Write plain files: JSON, and XGBoost's own format for the trees."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = ("kind", "centre", "retention", "facts")
        content = {"format": FORMAT, **{name: getattr(self, name) for name in kept}}
        (folder / FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        for part in (self.models, self.trees):
            if part is not None:
                part.save(folder)

    @classmethod
    def load(cls, folder: Path, threads: int = 2) -> Valuer:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the files were written by another version of this format.
        """
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError(f"model files of another format; this version reads format {FORMAT}")
        models = LifetimeValueModel.load(folder) if content["kind"] != "rule" else None
        trees = TwoPart.load(folder, threads) if content["kind"] == "trees" else None
        return cls(**content, models=models, trees=trees)


def _level(of_trees: pd.Series, of_models: pd.Series) -> pd.Series:
    """Return by what the models' (n,) amounts are multiplied to have the trees' level; 0 where they expect nothing at all."""
    return (of_trees / of_models.where(of_models > 0)).fillna(0.0)


def days_of(purchases: pd.DataFrame, until: date) -> pd.DataFrame:
    """Return the days of purchase (see `history.days_of_purchase`) up to and with `until`; later returns are not known yet.

    Parameters
    ----------
    purchases : DataFrame
        `COLUMNS`; amounts may be negative (returns).
    """
    known = purchases[pd.to_datetime(purchases["bought_on"]) < pd.Timestamp(until) + pd.Timedelta(days=1)]
    return days_of_purchase(known.rename(columns={"bought_on": "ordered_on"}))
