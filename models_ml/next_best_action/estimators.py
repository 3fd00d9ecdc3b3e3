"""What another policy would have earned, from the log of the one that ran: IPS, SNIPS and doubly robust.

With the weight w = pi(a | x) / p of a logged action a, its reward r and the logged propensity p:

- inverse propensity scoring (IPS), mean of w r: unbiased, of large variance (Horvitz and Thompson 1952);
- self-normalised (SNIPS), sum of w r / sum of w: bounded by the rewards, biased by O(1 / n) (Swaminathan and Joachims 2015);
- doubly robust (DR), mean of sum_b pi(b | x) q(x, b) + w (r - q(x, a)): unbiased whatever the reward means q, and of small
  variance where q is good (Dudik, Langford and Li 2011).

Intervals are normal, from the empirical influence of each row: exact for the means (IPS, DR), the delta method for SNIPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from models_ml.next_best_action.config import CONFIDENCE
from models_ml.next_best_action.log import Log, checked_means, checked_policy

QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
METHODS = ("ips", "snips", "doubly_robust")


@dataclass(frozen=True)
class Estimate:
    """An estimated mean reward a decision, or a difference of two.

    Attributes
    ----------
    value, standard_error, low, high : float
        In reward units; `low` to `high` is the 95 % interval, infinite where one decision (or entity) is all there is.
    effective_decisions : float
        (sum of w)^2 / sum of w^2: how many decisions of the policy itself the weighted log is worth (Kong 1992); of a
        difference, that of the policy with fewer, on the rows where the two policies differ.
    decisions : int
        Rows of the log.
    """

    value: float
    standard_error: float
    low: float
    high: float
    effective_decisions: float
    decisions: int


def ips(
    actions: np.ndarray,
    rewards: np.ndarray,
    logged_propensity: np.ndarray,
    target_probabilities: np.ndarray,
    *,
    entities: np.ndarray | None = None,
) -> Estimate:
    """Return the inverse propensity estimate of a policy's mean reward.

    Parameters
    ----------
    actions : ndarray of int, shape (n,)
        What was done: the column in `target_probabilities`.
    rewards : ndarray of shape (n,)
    logged_propensity : ndarray of shape (n,)
        Probability, above 0 and up to 1, with which the logging policy chose that action.
    target_probabilities : ndarray of shape (n, k)
        What the policy to be judged would have done; rows sum to 1.
    entities : ndarray of shape (n,), optional
        Whom each decision was about: then the standard error allows for decisions on one entity being alike.

    Raises
    ------
    ValueError
        When the log is empty, a propensity is not in (0, 1], an action is none of the policy's, a reward is missing, or rows
        of probabilities do not sum to 1. The message names the first row that is wrong, counted from 0.
    """
    log = Log.checked(actions, rewards, logged_propensity, entities)
    weights = log.weights(checked_policy(target_probabilities, log))
    return _mean(weights * log.rewards, log, effective(weights))


def snips(
    actions: np.ndarray,
    rewards: np.ndarray,
    logged_propensity: np.ndarray,
    target_probabilities: np.ndarray,
    *,
    entities: np.ndarray | None = None,
) -> Estimate:
    """Return the self-normalised estimate of a policy's mean reward; it lies between the lowest and the highest reward.

    Parameters and errors are those of `ips`.

    Raises
    ------
    ValueError
        Also when the policy would have taken none of the logged actions: there is nothing to average.
    """
    log = Log.checked(actions, rewards, logged_propensity, entities)
    weights = log.weights(checked_policy(target_probabilities, log))
    value, influence = _self_normalised(weights, log)
    return _around(value, influence, log, effective(weights))


def doubly_robust(
    actions: np.ndarray,
    rewards: np.ndarray,
    logged_propensity: np.ndarray,
    target_probabilities: np.ndarray,
    reward_means: np.ndarray,
    *,
    entities: np.ndarray | None = None,
) -> Estimate:
    """Return the doubly robust estimate of a policy's mean reward.

    Parameters
    ----------
    reward_means : ndarray of shape (n, k)
        Expected reward of each option in each context, from other decisions than these (else the interval is too narrow).

    The other parameters and the errors are those of `ips`.
    """
    log = Log.checked(actions, rewards, logged_propensity, entities)
    policy = checked_policy(target_probabilities, log)
    scores = _doubly_robust_scores(log, policy, checked_means(reward_means, policy))
    return _mean(scores, log, effective(log.weights(policy)))


def difference(
    actions: np.ndarray,
    rewards: np.ndarray,
    logged_propensity: np.ndarray,
    new_probabilities: np.ndarray,
    old_probabilities: np.ndarray,
    reward_means: np.ndarray | None = None,
    *,
    method: str = "doubly_robust",
    entities: np.ndarray | None = None,
) -> Estimate:
    """Return how much more the new policy would have earned a decision than the old one, on the same log.

    The interval is that of the paired difference: what both policies share cancels row by row.

    Parameters
    ----------
    new_probabilities, old_probabilities : ndarray of shape (n, k)
    reward_means : ndarray of shape (n, k), optional
        Needed by ``doubly_robust`` alone.
    method : str
        ``ips``, ``snips`` or ``doubly_robust``.

    Raises
    ------
    ValueError
        As `ips`; also for another method, and for ``doubly_robust`` without reward means.
    """
    if method not in METHODS:
        raise ValueError(f"there is no estimator {method!r}; there are {', '.join(METHODS)}")
    log = Log.checked(actions, rewards, logged_propensity, entities)
    new, old = checked_policy(new_probabilities, log), checked_policy(old_probabilities, log)
    if new.shape != old.shape:
        raise ValueError(f"the new policy has {new.shape[1]} options, the old one {old.shape[1]}")
    weights = log.weights(new), log.weights(old)
    differs = (new != old).any(axis=1)  # the control arm, for one, tells nothing of the difference
    worth = min(effective(weights[0][differs]), effective(weights[1][differs]))
    if method == "ips":
        return _mean((weights[0] - weights[1]) * log.rewards, log, worth)
    if method == "snips":
        (of_new, new_influence), (of_old, old_influence) = (_self_normalised(it, log) for it in weights)
        return _around(of_new - of_old, new_influence - old_influence, log, worth)
    if reward_means is None:
        raise ValueError("the doubly robust estimate needs the reward means of every option")
    means = checked_means(reward_means, new)
    return _mean(_doubly_robust_scores(log, new, means) - _doubly_robust_scores(log, old, means), log, worth)


def effective(weights: np.ndarray) -> float:
    """Return (sum of w)^2 / sum of w^2, 0 where all weights are 0."""
    largest = weights.max(initial=0.0)
    if largest == 0:
        return 0.0
    scaled = weights / largest  # squares of weights near the largest number would overflow
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def _doubly_robust_scores(log: Log, policy: np.ndarray, means: np.ndarray) -> np.ndarray:
    of_action = means[np.arange(len(means)), log.actions]
    return (policy * means).sum(axis=1) + log.weights(policy) * (log.rewards - of_action)


def _self_normalised(weights: np.ndarray, log: Log) -> tuple[float, np.ndarray]:
    """Return the weighted mean and each row's influence on it."""
    total = weights.sum()
    if total == 0:
        raise ValueError("the policy would have taken none of the logged actions, so the log says nothing about it")
    value = float((weights * log.rewards).sum() / total)
    # Rounding must not carry a weighted mean out of the rewards it is a mean of.
    value = min(max(value, float(log.rewards.min())), float(log.rewards.max()))
    return value, weights * (log.rewards - value) * (len(weights) / total)


def _mean(scores: np.ndarray, log: Log, worth: float) -> Estimate:
    value = float(scores.mean())
    return _around(value, scores - value, log, worth)


def _around(value: float, influence: np.ndarray, log: Log, worth: float) -> Estimate:
    """Return the estimate with its interval; influences of one entity are added up before they are squared."""
    sums = np.bincount(log.entities, influence) if log.entities is not None else influence
    units = len(sums)
    total = float((sums**2).sum())
    error = math.sqrt(total * units / (units - 1)) / len(influence) if units > 1 else math.inf
    return Estimate(value, error, value - QUANTILE * error, value + QUANTILE * error, worth, len(influence))
