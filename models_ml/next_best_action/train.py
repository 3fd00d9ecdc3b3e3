"""Begin a bandit, and let it learn from decisions whose outcomes are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_ml.next_best_action import config
from models_ml.next_best_action.bandit import Bandit
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.log import refuse
from models_ml.next_best_action.policy import Option, places
from models_ml.next_best_action.preparation import Preparation

OPTION, PROPENSITY, REWARD, COST = "option", "propensity", "reward", "cost"


def begin(
    entities: pd.DataFrame,
    options: Sequence[Option],
    features: Sequence[str],
    *,
    exploration: float = config.EXPLORATION,
    prior_decisions: float = config.PRIOR_DECISIONS,
    usual_column: str | None = None,
) -> Bandit:
    """Return a bandit that knows the scale of the features and nothing of the options.

    Parameters
    ----------
    entities : DataFrame
        The feature columns, a row for each entity; numeric, missing values allowed.
    options : sequence of Option
        From `policy.options_from`.
    features : sequence of str
        What the policy may read; must hold nothing personal.
    exploration : float
        Least probability of an allowed option.
    prior_decisions : float
        An option is believed to be a contact like the others until about so many decisions say otherwise.
    usual_column : str, optional
        A column with the reward that is usual for an entity when there is one, its average order value for example: effects
        and noise are then proportional to it, which a company with small and large customers learns far faster.
    """
    preparation = Preparation.fit(entities, features, usual_column)
    return Bandit.begin(options, preparation, exploration=exploration, ridge=prior_decisions)


def fit(decisions: pd.DataFrame, options: Sequence[Option], features: Sequence[str], **settings: Any) -> Bandit:
    """Return a bandit that has learnt from `decisions` alone, scales included.

    Parameters
    ----------
    decisions : DataFrame
        As for `update`.
    **settings
        `exploration`, `prior_decisions` and `usual_column` of `begin`.
    """
    return update(begin(decisions, options, features, **settings), decisions)


def update(bandit: Bandit, decisions: pd.DataFrame) -> Bandit:
    """Return the bandit after more decisions; every decision must come once only, in whatever order.

    Parameters
    ----------
    decisions : DataFrame
        entity_id, option, propensity (with which it was chosen), reward (revenue of the outcome window less the cost), the
        feature columns as they were known on the day of the decision, and optionally cost (what the contact had cost; by
        default what its option costs now). The control arm belongs to them, with `do_nothing`.

    Raises
    ------
    ActionInputError
        When a column is not there or an option is unknown.
    ValueError
        When a reward or cost is missing, or a propensity is not in (0, 1].
    """
    place, revenue = outcomes(decisions, bandit.options)
    it = bandit.preparation
    return bandit.learn(it.design(decisions), it.outcomes(decisions, revenue), place)


def outcomes(decisions: pd.DataFrame, options: Sequence[Option]) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n,) number of each decision's option, and the (n,) reward before its cost."""
    missing = [name for name in (config.ENTITY, OPTION, PROPENSITY, REWARD) if name not in decisions.columns]
    if missing:
        raise ActionInputError(f"the decisions lack column {', '.join(missing)}")
    place = places(options, decisions[OPTION])
    reward = decisions[REWARD].to_numpy(dtype=np.float64, na_value=np.nan)
    costs = np.array([it.cost for it in options])[place]
    if COST in decisions.columns:
        costs = decisions[COST].to_numpy(dtype=np.float64, na_value=np.nan)
    refuse(~np.isfinite(reward), reward, "the reward", "a number")
    refuse(~np.isfinite(costs), costs, "the cost", "a number")
    chance = decisions[PROPENSITY].to_numpy(dtype=np.float64, na_value=np.nan)
    refuse(~((chance > 0) & (chance <= 1)), chance, "the propensity", "above 0 and at most 1")
    return place, reward + costs
