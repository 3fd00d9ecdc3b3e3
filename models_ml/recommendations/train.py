"""Choose among the candidate models on the last known month, and fit the chosen one on everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import xgboost as xgb

from models_ml.recommendations import config, ranker
from models_ml.recommendations.evaluate import judge, month_after, months_before
from models_ml.recommendations.history import History, history
from models_ml.recommendations.scorers import CoPurchase, LinearAutoencoder, PersonalFrequency, Popularity, Scorer

SIMPLE: dict[str, Callable[[History], Scorer]] = {
    it.name: it for it in (Popularity, PersonalFrequency, CoPurchase, LinearAutoencoder)
}


@dataclass(frozen=True)
class Trained:
    """The chosen model on everything known, and how the candidates did on the last month.

    Attributes
    ----------
    scorer : Scorer
        Fitted on the purchases up to `known.as_of`.
    validation : dict
        Metrics (`evaluate.judge`) of each candidate on the month before; empty when nobody came back in it.
    reason : str
        Why this one, in a sentence.
    """

    scorer: Scorer
    known: History
    validation: dict[str, dict[str, float]]
    reason: str


def train(purchases: pd.DataFrame, as_of: date, *, seed: int = config.SEED, threads: int = 2) -> Trained:
    """Choose by recall on the month that ends with `as_of`, then fit on all purchases up to `as_of`.

    Parameters
    ----------
    purchases : DataFrame
        customer_id, product_id, bought_on; lines of products that can be recommended, returns and cancelled orders left out.
        Later rows than `as_of` are not looked at.

    Raises
    ------
    ValueError
        When nothing was bought by `as_of`.
    """
    purchases = purchases[pd.to_datetime(purchases["bought_on"]) <= pd.Timestamp(as_of)]
    known = history(purchases, as_of)
    validation = _validate(purchases, as_of, seed, threads)
    if not validation:
        scorer = PersonalFrequency(known)
        return Trained(
            scorer, known, {}, "Too few customers came back in a known month to compare: what each buys most."
        )
    chosen = max(validation, key=lambda name: (validation[name]["recall"], validation[name]["ndcg"], name))
    return Trained(_fitted(chosen, purchases, known, seed, threads), known, validation, _why(chosen, validation))


def _fitted(chosen: str, purchases: pd.DataFrame, known: History, seed: int, threads: int) -> Scorer:
    if chosen in SIMPLE:
        return SIMPLE[chosen](known)
    booster = _fit_ranker(purchases, months_before(known.as_of, config.RANKER_MONTHS), seed, threads)
    return ranker.Ranker(known, booster) if booster else PersonalFrequency(known)


def _validate(purchases: pd.DataFrame, as_of: date, seed: int, threads: int) -> dict[str, dict[str, float]]:
    """Return the metrics of each candidate on the last month; each is fitted on what was known before it."""
    (day,) = months_before(as_of, 1)
    before = _before(purchases, day)
    if before is None:
        return {}
    month = month_after(purchases, before)
    if len(month.rows) < config.FEWEST_RETURNING:
        return {}
    scorers: list[Scorer] = [make(before) for make in SIMPLE.values()]
    booster = _fit_ranker(purchases, months_before(day, config.RANKER_MONTHS), seed, threads)
    if booster:
        scorers.append(ranker.Ranker(before, booster))
    return {scorer.name: judge(scorer, before, month) for scorer in scorers}


def _fit_ranker(purchases: pd.DataFrame, days: list[date], seed: int, threads: int) -> xgb.Booster | None:
    """Fit the ranker on the months after `days`; None where too few customers came back in them."""
    months = []
    for number, day in enumerate(days):
        known = _before(purchases, day)
        if known is None:
            continue
        month = month_after(purchases, known)
        chosen = np.sort(np.random.default_rng(seed + number).permutation(len(month.rows))[: config.RANKER_CUSTOMERS])
        months.append((known, month.rows[chosen], month.bought[chosen]))
    if sum(len(rows) for _, rows, _ in months) < config.FEWEST_RETURNING or not any(b.nnz for _, _, b in months):
        return None
    return ranker.fit(months, seed=seed, threads=threads)


def _before(purchases: pd.DataFrame, day: date) -> History | None:
    try:
        return history(purchases, day)
    except ValueError:
        return None


def _why(chosen: str, validation: dict[str, dict[str, float]]) -> str:
    others = ", ".join(
        f"{name} {metrics['recall']:.3f}"
        for name, metrics in sorted(validation.items(), key=lambda item: -item[1]["recall"])
        if name != chosen
    )
    return (
        f"{chosen}: on the last known month it found {validation[chosen]['recall']:.3f} of what customers bought in "
        f"{config.SHOWN} products ({others})."
    )
