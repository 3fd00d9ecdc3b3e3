"""Whether a new policy replaces the one that runs: only when the log says so by more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.core.folds import entity_part
from models_ml.next_best_action import config
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.estimators import Estimate, difference, doubly_robust
from models_ml.next_best_action.policy import Option
from models_ml.next_best_action.predict import expected_rewards
from models_ml.next_best_action.train import PROPENSITY, fit, outcomes


@dataclass(frozen=True)
class Verdict:
    """Whether the new policy replaces the old one, and why.

    Attributes
    ----------
    replaces : bool
    reason : str
        A sentence with the figures.
    gain : Estimate
        Reward a decision of the new policy less that of the old one.
    new, old : Estimate
        Reward a decision of each.
    """

    replaces: bool
    reason: str
    gain: Estimate
    new: Estimate
    old: Estimate


def compare(
    decisions: pd.DataFrame,
    options: Sequence[Option],
    new_probabilities: np.ndarray,
    old_probabilities: np.ndarray,
    features: Sequence[str],
    *,
    usual_column: str | None = None,
    least_effective: float = config.LEAST_EFFECTIVE_DECISIONS,
    unit: str = "",
) -> Verdict:
    """Judge two policies on decisions of which neither has learnt.

    The new one replaces the old one when the 95 % interval of the doubly robust difference lies above zero and both policies
    are seen often enough in the log. Decisions on one entity count as related.

    Parameters
    ----------
    decisions : DataFrame
        As for `train.update`. Those that the new policy has learnt from flatter it: take later ones.
    options : sequence of k Option
        The columns of the probabilities.
    new_probabilities, old_probabilities : ndarray of shape (n, k)
        What each policy would do with the entity of each decision; in the control arm both do nothing.
    features : sequence of str
        What the reward means of the estimate are fitted on.
    usual_column : str, optional
        As for `train.begin`.
    least_effective : float
        Effective decisions that either policy needs.
    unit : str
        Written behind amounts.

    Raises
    ------
    ActionInputError, ValueError
        For what is wrong in the decisions or policies; see `estimators.ips`.
    """
    place, revenue = outcomes(decisions, options)
    rewards = revenue - np.array([it.cost for it in options])[place]
    log = place, rewards, decisions[PROPENSITY].to_numpy(dtype=np.float64)
    means = reward_means(decisions, options, features, usual_column)
    entities = decisions[config.ENTITY].to_numpy(dtype=object)
    gain = difference(*log, new_probabilities, old_probabilities, means, entities=entities)
    new, old = (
        doubly_robust(*log, policy, means, entities=entities) for policy in (new_probabilities, old_probabilities)
    )
    is_seen = gain.effective_decisions >= least_effective
    reason = _sentence(gain, new, old, least_effective, f" {unit}" if unit else "")
    return Verdict(bool(is_seen and gain.low > 0), reason, gain, new, old)


def reward_means(
    decisions: pd.DataFrame, options: Sequence[Option], features: Sequence[str], usual_column: str | None = None
) -> np.ndarray:
    """Return the (n, k) expected reward of each option, each row's learnt from the decisions on other entities.

    Raises
    ------
    ActionInputError
        When there is only one entity, or all fall into one part: nothing to learn from.
    """
    part = entity_part(decisions[config.ENTITY], config.FOLDS)
    result = np.empty((len(decisions), len(options)))
    for number in np.unique(part):
        mine = part == number
        if mine.all():
            raise ActionInputError(
                "the decisions are about too few entities to learn the reward of some from the others"
            )
        of_others = fit(decisions[~mine], options, features, usual_column=usual_column)
        result[mine] = expected_rewards(of_others, decisions[mine])
    return result


def _sentence(gain: Estimate, new: Estimate, old: Estimate, least: float, unit: str) -> str:
    figures = (
        f"on {gain.decisions:,} logged decisions it brings {new.value:.2f}{unit} a decision, "
        f"the old policy {old.value:.2f}{unit}: "
        f"{gain.value:+.2f}{unit} (95 % interval {gain.low:+.2f} to {gain.high:+.2f})"
    )
    if gain.effective_decisions < least:
        return (
            f"The old policy stays: {figures}, but the log is worth only {gain.effective_decisions:,.0f} decisions of one of "
            f"the two, and it takes {least:,.0f} to trust an interval."
        )
    if gain.low > 0:
        return f"The new policy replaces the old one: {figures}, which is more than noise."
    if gain.high < 0:
        return f"The old policy stays: {figures}, so the new one is worse."
    return f"The old policy stays: {figures}, which may be noise."
