"""The effect of a treatment from decisions by lot: adjusted for what was known before, with its 95 % interval.

One estimator serves arms and options. With X the covariates less their mean over all n rows, and weights w = 1 / propensity of
what was done, each side gets a least squares fit m(x) = a + x'b of its own; the effect is the difference of the two constants
(for arms Lin 2013; with weights the doubly robust estimate with fitted means, Robins, Sued, Lei-Gomez and Rotnitzky 2007). The
lot makes it right however bad the fit is; a good fit makes it narrow.

Standard error: residuals e are divided by sqrt(1 - leverage) (HC2; MacKinnon and White 1985) and added up by entity, so that
decisions on one entity may be alike; S^2 = sum (w e)^2 / sum w^2 is a side's variance, and that of its mean is
S^2 sum w^2 / (sum w)^2. Revenue has a heavy tail, and a small arm that by chance holds no large customer has too low a mean *and*
too small a spread of its own. So both sides are given one S^2, pooled, unless they differ by more than chance would have it
(`config.MOST_VARIANCE_DEVIATIONS`): then each takes the larger of its own and the pooled one. docs/lift.md has the simulations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from models_ml.lift import config
from models_ml.next_best_action.estimators import effective
from models_ml.next_best_action.log import refuse

# Relative to the largest singular value: below it a covariate repeats others.
SMALLEST_SINGULAR = 1e-9
# A row that alone decides a slope has leverage 1 and residual 0.
SMALLEST_SLACK = 1e-6


@dataclass(frozen=True)
class Effect:
    """A mean difference of outcomes, or the reason why none is given.

    Attributes
    ----------
    value, standard_error, low, high : float or None
        In units of the outcome, a decision; `low` to `high` is the 95 % interval. None when there is a reason.
    treated, compared : int
        Decisions on either side.
    effective_treated, effective_compared : float
        How many entities these are worth after weighting: (sum of w)^2 / sum of w^2, w added up by entity.
    reason : str or None
        A sentence, when too little is known for an interval.
    """

    value: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    treated: int
    compared: int
    effective_treated: float
    effective_compared: float
    reason: str | None = None


@dataclass(frozen=True)
class Side:
    """One side's weighted fit.

    Attributes
    ----------
    coefficients : ndarray of shape (1 + p,)
        The first is the side's mean at the mean covariates of all rows.
    variance : float
        S^2 of the residuals.
    kurtosis : float
        Of the residuals: 3 for a normal distribution, dozens for revenue.
    shrinkage : float
        sum w^2 / (sum w)^2: 1 / n where all weights are alike.
    """

    coefficients: np.ndarray
    variance: float
    kurtosis: float
    shrinkage: float


def arm_effect(
    outcome: np.ndarray,
    is_treated: np.ndarray,
    covariates: np.ndarray | None = None,
    entities: np.ndarray | None = None,
) -> Effect:
    """Return the effect of being in one arm rather than in the other, arms being by lot.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        Of each decision.
    is_treated : ndarray of bool, shape (n,)
        In the first arm; all others are in the one compared with.
    covariates : ndarray of shape (n, p), optional
        What was known before the arms were treated differently, and nothing else.
    entities : ndarray of shape (n,), optional
        Whom each decision was about, when there are several on one.

    Raises
    ------
    ValueError
        When columns differ in length, or an outcome or covariate is missing.
    """
    first = np.asarray(is_treated, dtype=bool)
    return _effect(outcome, first, ~first, np.ones(len(first)), covariates, entities)


def action_effect(
    outcome: np.ndarray,
    is_action: np.ndarray,
    is_nothing: np.ndarray,
    propensity: np.ndarray,
    covariates: np.ndarray | None = None,
    entities: np.ndarray | None = None,
) -> Effect:
    """Return the effect of an option against doing nothing, among all decisions that could have come to it.

    Parameters
    ----------
    outcome : ndarray of shape (n,)
        Of each decision in which the option was allowed.
    is_action, is_nothing : ndarray of bool, shape (n,)
        What was drawn; neither where it was another option.
    propensity : ndarray of shape (n,)
        Probability, above 0 and up to 1, of what was drawn.
    covariates : ndarray of shape (n, p), optional
        What was known before the draw.
    entities : ndarray of shape (n,), optional
        Whom each decision was about.

    Raises
    ------
    ValueError
        When columns differ in length, an outcome or covariate is missing, a propensity is not in (0, 1], or a decision came to
        both.
    """
    chance = np.asarray(propensity, float)
    refuse(~((chance > 0) & (chance <= 1)), chance, "the propensity", "above 0 and at most 1")
    first, other = np.asarray(is_action, dtype=bool), np.asarray(is_nothing, dtype=bool)
    refuse(first & other, first, "that it was both the option and nothing", "False")
    return _effect(outcome, first, other, 1 / chance, covariates, entities)


def _effect(
    outcome: np.ndarray,
    first: np.ndarray,
    other: np.ndarray,
    weights: np.ndarray,
    covariates: np.ndarray | None,
    entities: np.ndarray | None,
) -> Effect:
    values = np.asarray(outcome, float)
    design = _design(covariates, len(values))
    _check(values, design, first, other, weights)
    group = np.arange(len(values)) if entities is None else np.unique(np.asarray(entities), return_inverse=True)[1]
    _same_length(entities=group, outcome=values)
    counts = int(first.sum()), int(other.sum())
    worth = _worth(first, weights, group), _worth(other, weights, group)
    reason = _too_little(values[first | other], worth)
    if reason:
        return Effect(None, None, None, None, *counts, *worth, reason)
    sides = [_fit(values, design, side, weights, group) for side in (first, other)]
    slopes = sides[0].coefficients - sides[1].coefficients
    of_target = float(((design @ slopes - slopes[0]) ** 2).mean()) / len(np.unique(group))
    means = _shared(sides, np.array(worth)) * np.array([it.shrinkage for it in sides])
    error = math.sqrt(float(means.sum()) + of_target)
    freedom = float(means.sum() ** 2 / (means**2 / (np.array(worth) - design.shape[1])).sum())
    reach = float(student.ppf((1 + config.CONFIDENCE) / 2, freedom)) * error
    value = float(slopes[0])
    return Effect(value, error, value - reach, value + reach, *counts, *worth)


def _shared(sides: Sequence[Side], worth: np.ndarray) -> np.ndarray:
    """Return the variance of either side: one for both, unless theirs differ by more than chance."""
    own = np.array([it.variance for it in sides])
    pooled = np.full(2, float(own @ worth / worth.sum()))
    if not own.all():
        return np.maximum(own, pooled)
    # The logarithm of a variance from n values has a variance of (kurtosis - 1) / n; a small side hides its tail: the heavier.
    kurtosis = max(it.kurtosis for it in sides)
    scatter = math.sqrt(max(kurtosis - 1, 0.0) * float((1 / worth).sum()))
    is_alike = abs(math.log(own[0] / own[1])) <= config.MOST_VARIANCE_DEVIATIONS * scatter
    return pooled if is_alike else np.maximum(own, pooled)


def _fit(outcome: np.ndarray, design: np.ndarray, side: np.ndarray, weights: np.ndarray, group: np.ndarray) -> Side:
    """Return the weighted least squares fit of one side; covariates that say nothing on it get no slope."""
    w = weights[side]
    root = np.sqrt(w)
    scaled = design[side] * root[:, None]  # (m, 1 + p)
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    kept = values > SMALLEST_SINGULAR * values[0]
    coefficients = right[kept].T @ ((left[:, kept].T @ (outcome[side] * root)) / values[kept])
    leverage = (left[:, kept] ** 2).sum(axis=1)
    residuals = (outcome[side] - design[side] @ coefficients) / np.sqrt(np.maximum(1 - leverage, SMALLEST_SLACK))
    spread = np.bincount(group[side], w * residuals) ** 2
    squares, total = float((w**2).sum()), float(spread.sum())
    kurtosis = len(np.unique(group[side])) * float((spread**2).sum()) / total**2 if total > 0 else 1.0
    return Side(coefficients, total / squares, kurtosis, squares / float(w.sum()) ** 2)


def _design(covariates: np.ndarray | None, rows: int) -> np.ndarray:
    """Return the (n, 1 + p) design: a constant, and the covariates less their mean, in units of their spread."""
    if covariates is None:
        return np.ones((rows, 1))
    values = np.asarray(covariates, float)
    if values.ndim != 2:
        raise ValueError(
            f"covariates have shape {values.shape}; expected a row for each decision and a column for each covariate"
        )
    refuse(~np.isfinite(values).all(axis=1), values, "the covariates", "numbers")
    if not len(values):
        return np.ones((0, 1))
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    return np.column_stack([np.ones(len(values)), centred / np.where(spread > 0, spread, 1.0)])


def _check(outcome: np.ndarray, design: np.ndarray, first: np.ndarray, other: np.ndarray, weights: np.ndarray) -> None:
    _same_length(outcome=outcome, covariates=design, first_side=first, second_side=other, weights=weights)
    refuse(~np.isfinite(outcome), outcome, "the outcome", "a number")


def _same_length(**columns: np.ndarray) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise ValueError(f"columns differ in length: {said}")


def _worth(side: np.ndarray, weights: np.ndarray, group: np.ndarray) -> float:
    """Return how many independent entities the weighted decisions of a side are worth: each entity's weights count together."""
    sums = np.bincount(group[side], weights[side]) if side.any() else np.zeros(0)
    return effective(sums)


def _too_little(outcome: np.ndarray, worth: tuple[float, float]) -> str | None:
    for count, name in zip(worth, ("treated", "compared with"), strict=True):
        if count < config.LEAST_ENTITIES:
            return f"Too few: those {name} are worth {count:,.0f} customers, and it takes {config.LEAST_ENTITIES}."
    different = int((outcome != np.median(outcome)).sum())
    if different < config.LEAST_DIFFERENT:
        return f"Outcomes are too much alike: {different} of {len(outcome):,} differ, and it takes {config.LEAST_DIFFERENT}."
    return None
