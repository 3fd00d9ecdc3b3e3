"""A small world whose truth is known: contexts, options, what each brings, and logs of a policy in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_ml.next_best_action.policy import options_from

OPTIONS = options_from([{"name": "mail", "cost": 0.5}, {"name": "call", "cost": 4.0}, {"name": "bonus", "cost": 1.0}])
FEATURES = ("orders", "is_member", "days")
NAMES = np.array([it.name for it in OPTIONS])
COSTS = np.array([it.cost for it in OPTIONS])


@dataclass(frozen=True)
class Table:
    """Three contexts, four options: the true mean rewards, and the probabilities of two policies."""

    means: np.ndarray
    logging: np.ndarray
    target: np.ndarray

    @property
    def value(self) -> float:
        """True mean reward of the target policy; contexts are equally frequent."""
        return float((self.target * self.means).sum(axis=1).mean())

    def log(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
        """Return (context, actions, rewards, logged propensity) of `count` decisions."""
        context = rng.integers(0, len(self.means), count)
        chance = self.logging[context]
        actions = (rng.random(count)[:, None] > np.cumsum(chance, axis=1)).sum(axis=1).clip(0, chance.shape[1] - 1)
        rewards = rng.gamma(2.0, self.means[context, actions] / 2)
        return context, actions, rewards, chance[np.arange(count), actions]


TABLE = Table(
    means=np.array([[1.0, 3.0, 2.0, 5.0], [4.0, 1.0, 2.0, 1.0], [2.0, 2.0, 6.0, 1.0]]),
    logging=np.array([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25], [0.1, 0.5, 0.2, 0.2]]),
    target=np.array([[0.1, 0.2, 0.2, 0.5], [0.7, 0.1, 0.1, 0.1], [0.0, 0.2, 0.8, 0.0]]),
)


def entities(count: int, seed: int = 1, first: int = 0) -> pd.DataFrame:
    """Return entities with what is known of them; one day in twenty is missing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "entity_id": [f"e{first + number}" for number in range(count)],
            "orders": rng.poisson(3, count).astype(float),
            "is_member": rng.integers(0, 2, count).astype(float),
            "days": rng.exponential(60, count),
        }
    )
    return frame.mask(rng.random(frame.shape) < [0, 0, 0, 0.05])


def effects(frame: pd.DataFrame) -> np.ndarray:
    """Return the true (n, 4) mean revenue: bonuses work on members, calls on who orders much, mails a little on all."""
    base = 5 + 2 * frame["orders"]
    call = np.where(frame["orders"] >= 4, 12.0, 1.0)
    bonus = np.where(frame["is_member"] == 1, 8.0, 0.0)
    return np.column_stack([base, base + 2, base + call, base + bonus])


def decisions(
    frame: pd.DataFrame, probabilities: np.ndarray, seed: int = 2, noise: float = 5.0, effective: bool = True
) -> pd.DataFrame:
    """Return what came of deciding by `probabilities`; without effects, rewards differ by nothing but costs and luck."""
    rng = np.random.default_rng(seed)
    rows = np.arange(len(frame))
    place = (rng.random(len(frame))[:, None] > np.cumsum(probabilities, axis=1)).sum(axis=1).clip(0, len(NAMES) - 1)
    means = effects(frame)
    revenue = means[rows, place] if effective else means[:, 0]
    reward = revenue + rng.normal(0, noise, len(frame)) - COSTS[place]
    return frame.assign(option=NAMES[place], propensity=probabilities[rows, place], reward=reward)
