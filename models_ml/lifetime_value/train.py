"""Fit everything on one company's purchases, and choose inside them what serves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from models_ml.lifetime_value import config
from models_ml.lifetime_value.buying import fit_buying, too_thin
from models_ml.lifetime_value.evaluate import grade_of_caught, metrics
from models_ml.lifetime_value.features import FEATURES, features
from models_ml.lifetime_value.gamma_gamma import GammaGamma, fit_gamma_gamma, has_own_value
from models_ml.lifetime_value.history import DAYS_PER_WEEK, days_of_purchase, summarise, what_followed
from models_ml.lifetime_value.lifetime import LifetimeValueModel, value_of_a_purchase
from models_ml.lifetime_value.rule import baseline, retention
from models_ml.lifetime_value.two_part import TwoPart, fit_two_part, predict_two_part
from models_ml.lifetime_value.valuer import Valuer, days_of


@dataclass(frozen=True)
class Trained:
    """What one training run fitted."""

    model: Valuer
    baseline: Valuer
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """What was fitted, and how it did on the inner holdout.

    Parameters
    ----------
    model : LifetimeValueModel
        Models of buying and spending.
    trees : TwoPart or None
        None when the history is too short or too few bought for them; `comparison` says why.
    champion : str
        "models" or "trees": the better grade on the inner holdout, with one grade the lower RMSE of value.
    comparison : dict
        Of the inner holdout: from, until, and by contender (models, trees, baseline) the metrics of `evaluate.metrics` on value,
        with grade; "trees_missing" says why there are no trees.
    """

    model: LifetimeValueModel
    trees: TwoPart | None
    champion: str
    comparison: dict[str, Any]


def train(
    frame: pd.DataFrame,
    *,
    horizon_days: int,
    cutoff: date,
    excluded: frozenset[str] = frozenset(),
    seed: int = config.SEED,
    threads: int = 2,
    rung: str = "own_model",
) -> Trained:
    """Fit the better of the models and the trees, and the rule of thumb, on the purchases up to `cutoff`.

    Parameters
    ----------
    frame : DataFrame
        Purchases: customer_id, bought_on, amount.
    horizon_days : int
        Days that the expected value is for.
    excluded : frozenset of str
        Columns that must not be read: there is no model without one of them.
    rung : str
        ``"own_model"``: there is no other, see docs/models.md.

    Raises
    ------
    ValueError
        When a column is excluded, another rung is asked for, or there is too little to learn from, with the reason.
    """
    if excluded or rung != "own_model":
        raise ValueError("the value of a customer needs every column, and has no simpler model")
    days = days_of(frame, cutoff)
    facts = {"horizon_days": horizon_days, "known_until": cutoff.isoformat(), "purchases": len(days), "seed": seed}
    summary = summarise(days, cutoff)
    reason = too_thin(summary) or _fit_spending(summary)[2]
    if reason:
        raise ValueError(reason)
    chosen = choose_on(days, cutoff, horizon_days, seed=seed, threads=threads)
    model = _centred(_valuer(chosen, facts), days, cutoff)
    share = retention(days, cutoff, horizon_days)
    method = "average monthly value x months x retention"
    rule = Valuer("rule", {}, retention=share, facts={**facts, "method": method, "retention": share})
    return Trained(model, _centred(rule, days, cutoff), {**facts, "chosen": model.kind, **_compared(chosen.comparison)})


def _valuer(chosen: Chosen, facts: dict[str, Any]) -> Valuer:
    if chosen.champion == "trees":
        method = "two-part trees (buys at all, for how much); spread over the months by models of buying"
        return Valuer("trees", {}, chosen.model, chosen.trees, facts={**facts, "method": method})
    return Valuer("models", {}, chosen.model, facts={**facts, "method": chosen.model.facts["method"]})


def _centred(valuer: Valuer, days: pd.DataFrame, as_of: date) -> Valuer:
    """Return `valuer` with the mean of its factors over the customers that it has learnt from."""
    means = valuer.values(days, as_of)[list(valuer.factors)].mean()
    return replace(valuer, centre={str(name): float(value) for name, value in means.items()})


def _compared(comparison: dict[str, Any]) -> dict[str, Any]:
    """Return what a reader of the version wants to know of the choice: numbers by contender, or why there were none."""
    found = {name: comparison[name] for name in ("missing", "trees_missing") if name in comparison}
    for name in ("models", "trees", "baseline"):
        if name in comparison:
            found |= {f"{name}_{metric}": comparison[name][metric] for metric in ("rmse", "top_20_caught")}
    return found


def choose(purchases: pd.DataFrame, as_of: date, horizon_days: int, *, seed: int = config.SEED) -> Chosen:
    """Fit on all purchases up to `as_of`; compare on the last `horizon_days` before it.

    Parameters
    ----------
    purchases : DataFrame
        customer_id, ordered_on and amount (optional); see `history.days_of_purchase`. Rows after `as_of` are not read.
    horizon_days : int
        Length of the inner holdout, and of the time that the trees predict.

    Raises
    ------
    ValueError
        With the reason, when there is too little to learn from.
    """
    known = purchases[pd.to_datetime(purchases["ordered_on"]) < pd.Timestamp(as_of + timedelta(days=1))]
    return choose_on(days_of_purchase(known), as_of, horizon_days, seed=seed)


def choose_on(
    days: pd.DataFrame, as_of: date, horizon_days: int, *, seed: int = config.SEED, threads: int = 1
) -> Chosen:
    """Do as `choose` does, on days of purchase up to `as_of` (from `history.days_of_purchase`)."""
    reason = too_thin(summarise(days, as_of))
    if reason:
        raise ValueError(reason)
    model = fit_models(days, as_of)
    comparison = compare(days, as_of, horizon_days, seed=seed, threads=threads)
    champion = comparison.get("champion", "models")
    try:
        trees = _fit_trees(days, as_of, horizon_days, seed, threads)
    except ValueError as error:
        trees, champion = None, "models"
        comparison["trees_missing"] = str(error)
    return Chosen(model, trees, champion, comparison)


def fit_models(days: pd.DataFrame, as_of: date) -> LifetimeValueModel:
    """Fit the models of buying and of spending on what is known at `as_of` (days from `history.days_of_purchase`)."""
    summary = summarise(days, as_of)
    spending, typical, missing = _fit_spending(summary)
    buying = fit_buying(days, as_of)
    names = ", ".join(member.family.name for member in buying.members)
    facts: dict[str, Any] = {
        "method": f"mean of {names}; Gamma-Gamma",
        "as_of": as_of.isoformat(),
        "customers": len(summary),
    }
    if missing:
        facts["spending_missing"] = missing
    if spending:
        facts["correlation_of_frequency_and_value"] = spending.correlation
    return LifetimeValueModel(buying, spending, typical, float(summary["T"].max()), facts)


def _fit_spending(summary: pd.DataFrame) -> tuple[GammaGamma | None, float, str | None]:
    frequency, value = summary["frequency"].to_numpy(), summary["mean_value"].to_numpy()
    own = value[has_own_value(frequency, value)]
    try:
        return fit_gamma_gamma(frequency, value), float(own.mean()), None
    except ValueError as error:
        return None, 0.0, str(error)


def expected_value(model: LifetimeValueModel, summary: pd.DataFrame, weeks: float) -> np.ndarray:
    """Return the (n,) expected value in the next `weeks`; purchases where nothing is known of value."""
    count = model.buying.expected(weeks, summary["frequency"], summary["recency"], summary["T"])
    return count * value_of_a_purchase(model, summary)


def compare(
    days: pd.DataFrame, as_of: date, horizon_days: int, *, seed: int = config.SEED, threads: int = 1
) -> dict[str, Any]:
    """Fit as of `horizon_days` before `as_of`, judge on the time since; see `Trained.comparison`.

    Parameters
    ----------
    days : DataFrame
        From `history.days_of_purchase`.
    """
    origin = as_of - timedelta(days=horizon_days)
    summary = summarise(days, origin)
    reason = too_thin(summary)
    if reason:
        return {"missing": f"{horizon_days} days before {as_of} there was too little to compare on: {reason}"}
    actual = what_followed(days, summary[config.ENTITY], origin, as_of)["value"].to_numpy()
    weeks = horizon_days / DAYS_PER_WEEK
    predicted = {
        "models": expected_value(fit_models(days, origin), summary, weeks),
        "baseline": baseline(days, origin, horizon_days)["expected_value"].to_numpy(),
    }
    found: dict[str, Any] = {"from": origin.isoformat(), "until": as_of.isoformat()}
    try:
        trees = _fit_trees(days, origin, horizon_days, seed, threads)
        predicted["trees"] = predict_two_part(trees, features(days, origin))["expected_value"].to_numpy()
    except ValueError as error:
        found["trees_missing"] = str(error)
    frequency = summary["frequency"].to_numpy()
    found |= {name: metrics(values, actual, frequency) for name, values in predicted.items()}
    return found | _verdict(found)


def _verdict(found: dict[str, Any]) -> dict[str, Any]:
    """Return the champion, the better grade first and the lower RMSE then, and its grade."""
    rule = found["baseline"]["top_20_caught"]
    if rule is None:
        return {"champion": "models", "grade": None}
    grades = {
        name: grade_of_caught(found[name]["top_20_caught"], rule) for name in ("models", "trees") if name in found
    }
    champion = min(grades, key=lambda name: (grades[name], found[name]["rmse"]))
    return {"champion": champion, "grade": grades[champion], "grades": grades}


def _fit_trees(days: pd.DataFrame, as_of: date, horizon_days: int, seed: int, threads: int) -> TwoPart:
    """Fit the trees on the last horizon before `as_of`."""
    cutoff = as_of - timedelta(days=horizon_days)
    frame = features(days, cutoff)
    if frame.empty:
        raise ValueError(
            f"nobody had bought {horizon_days} days before {as_of}, so trees have no history to learn from"
        )
    label = what_followed(days, frame[config.ENTITY], cutoff, as_of)
    return fit_two_part(
        frame, FEATURES, label["purchases"].to_numpy(), label["value"].to_numpy(), seed=seed, threads=threads
    )
