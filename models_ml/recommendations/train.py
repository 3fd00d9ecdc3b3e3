"""Choose among the candidate models on the last known month, and fit the chosen one on everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from models_ml.recommendations import config, ranker
from models_ml.recommendations.evaluate import Month, judge, month_after, months_before
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


@dataclass(frozen=True)
class _Month:
    """A month that is over: what was known before it, what was bought in it, and what the ranker learns from that."""

    known: History
    after: Month
    lesson: tuple[np.ndarray, np.ndarray] | None


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
    known, months = history(purchases, as_of), _months(purchases, as_of, seed)
    validation = _validate(months, seed, threads)
    if not validation:
        return Trained(
            PersonalFrequency(known),
            known,
            {},
            "Too few customers came back in a known month to compare: what each buys most.",
        )
    chosen = max(validation, key=lambda name: (validation[name]["recall"], validation[name]["ndcg"], name))
    scorer = SIMPLE[chosen](known) if chosen in SIMPLE else _ranker(known, months[: config.RANKER_MONTHS], seed, threads)
    return Trained(scorer or PersonalFrequency(known), known, validation, _why(chosen, validation))


def _months(purchases: pd.DataFrame, as_of: date, seed: int) -> list[_Month]:
    """Return the last months, newest first: one to judge on, and those that the ranker learns from, for each of two days."""
    found = []
    for number, day in enumerate(months_before(as_of, config.RANKER_MONTHS + 1)):
        known = _before(purchases, day)
        if known is None:
            break  # nothing was bought before that day, nor before an earlier one
        after = month_after(purchases, known)
        if len(after.rows):
            rng = np.random.default_rng(seed + number)
            chosen = np.sort(rng.permutation(len(after.rows))[: config.RANKER_CUSTOMERS])
            found.append(_Month(known, after, ranker.lesson(known, after.rows[chosen], after.bought[chosen])))
        else:
            found.append(_Month(known, after, None))
    return found


def _validate(months: list[_Month], seed: int, threads: int) -> dict[str, dict[str, float]]:
    """Return the metrics of each candidate on the last month; each is fitted on what was known before it."""
    if not months or len(months[0].after.rows) < config.FEWEST_RETURNING:
        return {}
    known, after = months[0].known, months[0].after
    scorers: list[Scorer | None] = [make(known) for make in SIMPLE.values()]
    scorers.append(_ranker(known, months[1:], seed, threads))
    return {scorer.name: judge(scorer, known, after) for scorer in scorers if scorer}


def _ranker(known: History, months: list[_Month], seed: int, threads: int) -> Scorer | None:
    """Return the ranker that has learnt from `months`; None where too few customers came back in them."""
    lessons = [month.lesson for month in months if month.lesson]
    returning = sum(min(len(month.after.rows), config.RANKER_CUSTOMERS) for month in months)
    if returning < config.FEWEST_RETURNING or not any(label.any() for _, label in lessons):
        return None
    return ranker.Ranker(known, ranker.fit(lessons, seed=seed, threads=threads))


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
