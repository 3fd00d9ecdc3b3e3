"""Choose among the candidate models on the last known month, and let the chosen one learn from everything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from models_ml.recommendations import config, ranker
from models_ml.recommendations.evaluate import Month, judge, month_after, months_before
from models_ml.recommendations.history import History, history
from models_ml.recommendations.recommender import SIMPLE, Recommender
from models_ml.recommendations.scorers import PersonalFrequency, Popularity, Scorer


@dataclass(frozen=True)
class Trained:
    """What one training run fitted."""

    model: Recommender
    baseline: Recommender
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """The chosen model, and how the candidates did on the last month.

    Attributes
    ----------
    recommender : Recommender
        Has learnt from the purchases up to `known.as_of`.
    validation : dict
        Metrics (`evaluate.judge`) of each candidate on the month before; empty when nobody came back in it.
    reason : str
        Why this one, in a sentence.
    """

    recommender: Recommender
    known: History
    validation: dict[str, dict[str, float]]
    reason: str

    @property
    def scorer(self) -> Scorer:
        """The chosen model on everything known."""
        return self.recommender.scorer(self.known)


@dataclass(frozen=True)
class _Month:
    """A month that is over: what was known before it, what was bought in it, and what the ranker learns from that."""

    known: History
    after: Month
    lesson: tuple[np.ndarray, np.ndarray] | None


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
    """Let the model, or on thin data that of a lower rung, learn from the purchases up to `cutoff`.

    Parameters
    ----------
    frame : DataFrame
        Purchases: see `choose`.
    horizon_days : int
        Of `config.HORIZON_DAYS`.
    excluded : frozenset of str
        Columns that must not be read: there is no model without one of them.
    rung : str
        ``"own_model"``, or a key of `config.LADDER`.

    Raises
    ------
    ValueError
        When a column is excluded, or nothing was bought by `cutoff`.
    """
    if excluded or horizon_days != config.HORIZON_DAYS:
        raise ValueError(f"recommendations need every column, and look {config.HORIZON_DAYS} days ahead")
    facts = {"horizon_days": horizon_days, "known_until": cutoff.isoformat(), "purchases": len(frame), "seed": seed}
    baseline = Recommender(Popularity.name, facts={**facts, "method": "best sellers, the same for everybody"})
    if rung != "own_model":
        model = Recommender(
            config.LADDER[rung], facts={**facts, "method": config.LADDER[rung].replace("_", " "), "rung": rung}
        )
        return Trained(model, baseline, model.facts)
    found = choose(frame, cutoff, seed=seed, threads=threads)
    recalls = {f"recall_{name}": round(it["recall"], 4) for name, it in found.validation.items()}
    model = replace(found.recommender, facts={**facts, "method": found.reason})
    return Trained(model, baseline, {**facts, "chosen": found.recommender.name, **recalls})


def choose(purchases: pd.DataFrame, as_of: date, *, seed: int = config.SEED, threads: int = 2) -> Chosen:
    """Choose by recall on the month that ends with `as_of`, then learn from all purchases up to `as_of`.

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
        reason = "Too few customers came back in a known month to compare: what each buys most."
        return Chosen(Recommender(PersonalFrequency.name), known, {}, reason)
    name = max(validation, key=lambda name: (validation[name]["recall"], validation[name]["ndcg"], name))
    booster = None if name in SIMPLE else _booster(months[: config.RANKER_MONTHS], seed, threads)
    if name not in SIMPLE and booster is None:
        name = PersonalFrequency.name
    return Chosen(Recommender(name, booster), known, validation, _why(name, validation))


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
    scorers = [make(known) for make in SIMPLE.values()]
    booster = _booster(months[1:], seed, threads)
    if booster is not None:
        scorers.append(ranker.Ranker(known, booster))
    return {scorer.name: judge(scorer, known, after) for scorer in scorers}


def _booster(months: list[_Month], seed: int, threads: int) -> xgb.Booster | None:
    """Return what the ranker learns from `months`; None where too few customers came back in them."""
    lessons = [month.lesson for month in months if month.lesson]
    returning = sum(min(len(month.after.rows), config.RANKER_CUSTOMERS) for month in months)
    if returning < config.FEWEST_RETURNING or not any(label.any() for _, label in lessons):
        return None
    return ranker.fit(lessons, seed=seed, threads=threads)


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
