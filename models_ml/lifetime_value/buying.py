"""How often a customer will buy: several models' mean, its level corrected by what forecasts inside the history missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models_ml.lifetime_value import config
from models_ml.lifetime_value.expectations import (
    Outlook,
    conditional_expected_purchases,
    delta_interval,
    probability_alive,
    quantile_of,
)
from models_ml.lifetime_value.history import DAYS_PER_WEEK, day_number, summarise, what_followed
from models_ml.lifetime_value.likelihood import Family
from models_ml.lifetime_value.purchases import PurchaseModel, fit
from models_ml.lifetime_value.triples import Triples, aggregate


@dataclass(frozen=True)
class BuyingModel:
    """The mean of several fitted models, times a factor.

    Parameters
    ----------
    members : tuple of PurchaseModel
        In weeks.
    factor : float
        By which the expectations are multiplied: the bias of forecasts inside the history, taken off in part.
    origins : tuple of dict
        What the factor was learnt from: origin (day), weeks, predicted, purchases (totals); and by member its predicted total
        and root mean squared error. Empty when the history was too thin for it.
    """

    members: tuple[PurchaseModel, ...]
    factor: float
    origins: tuple[dict[str, Any], ...]

    def expected(self, weeks: float, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> np.ndarray:
        """Return the (n,) expected purchases in the next `weeks`."""
        parts = [conditional_expected_purchases(model, weeks, frequency, recency, T) for model in self.members]
        return self.factor * np.mean(parts, axis=0)

    def alive(self, frequency: npt.ArrayLike, recency: npt.ArrayLike, T: npt.ArrayLike) -> np.ndarray:
        """Return the (n,) mean over the members of P(alive)."""
        return np.mean([probability_alive(model, frequency, recency, T) for model in self.members], axis=0)

    def alive_bounds(self, triples: Triples, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return (u,) bounds of P(alive): the mean of the members' intervals by the delta method.

        They say how surely the estimates know P(alive); which of the members is right is not in them.
        """

        def of(model: PurchaseModel) -> np.ndarray:
            return probability_alive(model, triples.frequency, triples.recency, triples.T)

        found = [delta_interval(model, of, level=level, is_share=True) for model in self.members]
        return np.mean([part.low for part in found], axis=0), np.mean([part.high for part in found], axis=0)

    def outlooks(self, weeks: float, triples: Triples) -> list[Outlook]:
        """Return the members' distributions of purchases in the next `weeks`."""
        return [Outlook(model, triples, weeks) for model in self.members]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, of which `from_dict` makes the model again."""
        members = [model.to_dict() for model in self.members]
        return {"members": members, "factor": self.factor, "origins": list(self.origins)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BuyingModel:
        """Return the model that `to_dict` described."""
        members = tuple(PurchaseModel.from_dict(member) for member in values["members"])
        return cls(members, values["factor"], tuple(values["origins"]))


def fit_buying(days: pd.DataFrame, as_of: date) -> BuyingModel:
    """Fit the members on what is known at `as_of`, and the factor on forecasts from earlier days up to it.

    Parameters
    ----------
    days : DataFrame
        From `history.days_of_purchase`; rows after `as_of` are not read.

    Raises
    ------
    ValueError
        When nobody has bought more than once.
    """
    known = days[days["day"] <= day_number(as_of)]
    origins = tuple(_judge(known, origin, as_of) for origin in _origins(known, as_of))
    return BuyingModel(fit_members(summarise(known, as_of)), _factor(origins), origins)


def fit_members(summary: pd.DataFrame) -> tuple[PurchaseModel, ...]:
    """Fit the families of `config.FAMILIES`, and the MBG/CNBD-k that the gaps between purchases speak for.

    Parameters
    ----------
    summary : DataFrame
        frequency, recency, T (weeks); sum_log_gaps where the single gaps are known.
    """
    triples = aggregate(summary["frequency"], summary["recency"], summary["T"])
    gaps = float(summary["sum_log_gaps"].sum()) if "sum_log_gaps" in summary else None
    fixed = tuple(fit(family, triples, gaps) for family in config.FAMILIES)
    regular = (fit(Family(k, lost_at_once=True), triples, gaps) for k in config.REGULARITIES if k > 1)
    likeliest = max((fixed[1], *regular), key=lambda model: model.log_likelihood)
    return fixed if likeliest is fixed[1] else (*fixed, likeliest)


def _origins(days: pd.DataFrame, as_of: date) -> list[date]:
    """Return the days from which there is enough before and some time after."""
    if days.empty:
        return []
    end = day_number(as_of)
    weeks = (end - int(days["day"].min())) / DAYS_PER_WEEK
    if weeks >= config.WEEKS_FOR_A_WHOLE_YEAR:
        candidates = [as_of - timedelta(weeks=52)]
    else:
        candidates = [as_of - timedelta(days=round((1 - share) * weeks * DAYS_PER_WEEK)) for share in config.ORIGINS]
    return [origin for origin in dict.fromkeys(candidates) if origin < as_of and not too_thin(summarise(days, origin))]


def _judge(days: pd.DataFrame, origin: date, as_of: date) -> dict[str, Any]:
    """Return what the members, fitted as of `origin`, predict up to `as_of`, beside what was bought."""
    summary = summarise(days, origin)
    actual = what_followed(days, summary[config.ENTITY], origin, as_of)["purchases"].to_numpy()
    weeks = (as_of - origin).days / DAYS_PER_WEEK
    members = fit_members(summary)
    vectors = [summary[name] for name in ("frequency", "recency", "T")]
    parts = [conditional_expected_purchases(model, weeks, *vectors) for model in members]
    return {
        "origin": origin.isoformat(),
        "weeks": weeks,
        "predicted": float(np.mean(parts, axis=0).sum()),
        "purchases": float(actual.sum()),
        "members": {
            model.family.name: {"predicted": float(part.sum()), "rmse": float(np.sqrt(np.mean((part - actual) ** 2)))}
            for model, part in zip(members, parts, strict=True)
        },
    }


def _factor(origins: tuple[dict[str, Any], ...]) -> float:
    """Return actual / predicted over all origins together, drawn towards 1 (see `config`)."""
    actual = sum(row["purchases"] for row in origins) + config.PRIOR_PURCHASES
    predicted = sum(row["predicted"] for row in origins) + config.PRIOR_PURCHASES
    return float((actual / predicted) ** config.CORRECTION_SHARE)


def too_thin(summary: pd.DataFrame) -> str | None:
    """Return why there is too little to learn a rhythm of buying from, or None."""
    customers, repeaters = len(summary), int((summary["frequency"] > 0).sum())
    if customers < config.MIN_CUSTOMERS:
        return f"{customers} customers have bought; at least {config.MIN_CUSTOMERS} are needed to learn how long customers stay"
    if repeaters < config.MIN_REPEATERS or repeaters < config.MIN_REPEAT_SHARE * customers:
        least = max(config.MIN_REPEATERS, int(np.ceil(config.MIN_REPEAT_SHARE * customers)))
        return f"{repeaters} of {customers} customers have bought more than once; at least {least} are needed"
    return None


def purchase_bounds(model: BuyingModel, outlooks: list[Outlook], level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the (u,) numbers of purchases between which a customer will end with probability `level`.

    Quantiles of the members' mixed distribution, times the factor and rounded outwards.
    """
    low, high = (quantile_of(outlooks, (1 + sign * level) / 2) for sign in (-1, 1))
    return np.floor(model.factor * low), np.ceil(model.factor * high)
