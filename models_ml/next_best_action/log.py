"""The log of decisions that off-policy estimates read, checked so that an estimate is either right or an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Log:
    """Decisions as they were made (arrays over n decisions); `entities` are 0 ... m - 1 or None."""

    actions: np.ndarray
    rewards: np.ndarray
    propensity: np.ndarray
    entities: np.ndarray | None

    @classmethod
    def checked(
        cls,
        actions: np.ndarray,
        rewards: np.ndarray,
        propensity: np.ndarray,
        entities: np.ndarray | None = None,
    ) -> Log:
        """Return the log.

        Raises
        ------
        ValueError
            When it is empty, columns differ in length, or a value is none that a decision can have.
        """
        action_values, reward_values, chances = (
            np.asarray(actions),
            np.asarray(rewards, float),
            np.asarray(propensity, float),
        )
        columns = {"actions": action_values, "rewards": reward_values, "logged_propensity": chances}
        for name, values in columns.items():
            if values.ndim != 1 or len(values) != len(action_values):
                raise ValueError(
                    f"{name} has shape {values.shape}; expected one value for each of {len(action_values)} actions"
                )
        if not len(action_values):
            raise ValueError("the log is empty: no decision, no estimate")
        if action_values.dtype.kind not in "iu":
            raise ValueError(f"actions are of type {action_values.dtype}; expected the number of an option")
        refuse(~np.isfinite(reward_values), reward_values, "the reward", "a number")
        refuse(~((chances > 0) & (chances <= 1)), chances, "the logged propensity", "above 0 and at most 1")
        return cls(action_values, reward_values, chances, _numbered(entities, len(action_values)))

    def weights(self, policy: np.ndarray) -> np.ndarray:
        """Return the (n,) weights pi(a | x) / p of an (n, k) policy."""
        return policy[np.arange(len(policy)), self.actions] / self.propensity


def checked_policy(probabilities: np.ndarray, log: Log) -> np.ndarray:
    """Return the (n, k) probabilities of a policy over the options of `log`.

    Raises
    ------
    ValueError
        When a logged action is none of the k options, or a row is no distribution.
    """
    policy = np.asarray(probabilities, float)
    if policy.ndim != 2 or len(policy) != len(log.actions):
        raise ValueError(
            f"the policy has shape {policy.shape}; expected a row for each of {len(log.actions)} decisions"
        )
    unknown = (log.actions < 0) | (log.actions >= policy.shape[1])
    refuse(unknown, log.actions, "the action", f"one of the {policy.shape[1]} options that the policy knows")
    refuse((~(policy >= 0)).any(axis=1), policy, "the policy's probabilities", "0 or more")
    sums = policy.sum(axis=1)
    refuse(~(np.abs(sums - 1) <= SUM_TOLERANCE), sums, "the sum of the policy's probabilities", "1")
    return policy


def checked_means(reward_means: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """Return the (n, k) expected rewards, of the shape of `policy`.

    Raises
    ------
    ValueError
        When the shape differs or a value is missing.
    """
    means = np.asarray(reward_means, float)
    if means.shape != policy.shape:
        raise ValueError(f"reward means have shape {means.shape}; expected that of the policy, {policy.shape}")
    refuse((~np.isfinite(means)).any(axis=1), means, "the reward means", "numbers")
    return means


def refuse(is_wrong: Any, values: np.ndarray, what: str, expected: str) -> None:
    """Raise a ValueError that names the first wrong row, when there is one."""
    if is_wrong.any():
        row = int(np.argmax(is_wrong))
        found: Any = values[row]
        raise ValueError(
            f"{what} of decision {row} is {found}; expected {expected} ({int(is_wrong.sum())} such decisions)"
        )


def _numbered(entities: np.ndarray | None, count: int) -> np.ndarray | None:
    if entities is None:
        return None
    values = np.asarray(entities)
    if values.shape != (count,):
        raise ValueError(f"entities has shape {values.shape}; expected one for each of {count} decisions")
    return np.unique(values.astype(str), return_inverse=True)[1]
