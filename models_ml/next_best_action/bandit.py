"""A contextual bandit: for each option a Bayesian linear regression of the reward on what is known of an entity.

Reward of option a in context x: r = u (x'beta_a + noise) - cost_a, with u the reward that is usual for the entity and
y = (r + cost_a) / u. Of each option only sums are kept (A = sum of x x', b = sum of x y, sum of y^2, count), so decisions may
come in any order and any number of parts. Posterior of beta_a, with noise variance s^2 (Agrawal and Goyal 2013; Bishop 2006,
section 3.3):

    N((A_a + ridge I)^-1 (b_a + ridge m_a), s^2 (A_a + ridge I)^-1)

The prior mean m_a of a contact is what the other contacts are found to bring, and theirs what doing nothing brings (prior mean
0): an option of which little is known is believed to be a contact like the others, and contacts to change nothing; costs then
speak against them. An option's own decisions are no part of its prior, so the posteriors of the options are taken as
independent; that prior means are estimates too is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.next_best_action import config
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.policy import Option
from models_ml.next_best_action.preparation import Preparation

FORMAT = 1
MODEL_FILE = "model.json"
SUMS_FILE = "sums.npz"


@dataclass(frozen=True)
class Sums:
    """Sums over the decisions of each of k options, with d columns of the design."""

    products: np.ndarray  # (k, d, d): x x'
    moments: np.ndarray  # (k, d): x y
    squares: np.ndarray  # (k,): y^2
    counts: np.ndarray  # (k,)

    @classmethod
    def none(cls, options: int, width: int) -> Sums:
        """Return the sums of no decision."""
        return cls(np.zeros((options, width, width)), np.zeros((options, width)), np.zeros(options), np.zeros(options))

    @classmethod
    def of(cls, design: np.ndarray, outcome: np.ndarray, place: np.ndarray, options: int) -> Sums:
        """Return the sums of n decisions.

        Parameters
        ----------
        design : ndarray of shape (n, d)
        outcome : ndarray of shape (n,)
            Reward before costs, in usual rewards of the entity.
        place : ndarray of int, shape (n,)
            Number of the option taken.
        """
        result = cls.none(options, design.shape[1])
        for number in range(options):
            rows, values = design[place == number], outcome[place == number]
            result.products[number] = rows.T @ rows
            result.moments[number] = rows.T @ values
            result.squares[number] = values @ values
            result.counts[number] = len(rows)
        return result

    def __add__(self, other: Sums) -> Sums:
        """Return the sums over the decisions of both."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in Sums.__dataclass_fields__))

    def rearranged(self, source: np.ndarray) -> Sums:
        """Return the sums of options that stood at `source` before; those at -1 are new and have none."""
        kept = source >= 0
        parts = (getattr(self, name)[source] for name in Sums.__dataclass_fields__)
        return Sums(*(np.where(kept.reshape(-1, *[1] * (part.ndim - 1)), part, 0.0) for part in parts))


@dataclass(frozen=True)
class Posterior:
    """What is believed of each option's coefficients (k options, d columns)."""

    mean: np.ndarray  # (k, d)
    inverse: np.ndarray  # (k, d, d): covariance / noise variance
    noise_variance: float


@dataclass(frozen=True)
class Bandit:
    """What has been learnt of each option.

    Parameters
    ----------
    options : tuple of Option
        The first is to do nothing.
    preparation : Preparation
        From features to the design; stays as it was begun, so that sums keep their meaning.
    sums : Sums
    ridge, ridge_nothing : float
        Weight of the priors in decisions (`config.PRIOR_DECISIONS`, `PRIOR_DECISIONS_NOTHING`).
    exploration : float
        Least probability of an allowed option.
    facts : dict
        What a reader of the file wants to know; plain JSON.
    """

    options: tuple[Option, ...]
    preparation: Preparation
    sums: Sums
    ridge: float = config.PRIOR_DECISIONS
    ridge_nothing: float = config.PRIOR_DECISIONS_NOTHING
    exploration: float = config.EXPLORATION
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what a user can get wrong."""
        if not self.options or self.options[0].name != config.DO_NOTHING:
            raise ActionInputError(f"the first option must be {config.DO_NOTHING}; take the options from options_from")
        if not 0 < self.exploration * len(self.options) <= 1:
            raise ActionInputError(
                f"exploration of {self.exploration} for each of {len(self.options)} options is not possible; "
                f"give more than 0 and at most {1 / len(self.options):.3f}"
            )
        if min(self.ridge, self.ridge_nothing) <= 0:
            raise ActionInputError(
                "the priors' weights must be above 0: without them nothing can be said of a new option"
            )

    @classmethod
    def begin(cls, options: Sequence[Option], preparation: Preparation, **settings: Any) -> Bandit:
        """Return a bandit that has seen no decision."""
        return cls(tuple(options), preparation, Sums.none(len(options), preparation.width), **settings)

    def learn(self, design: np.ndarray, outcome: np.ndarray, place: np.ndarray) -> Bandit:
        """Return the bandit after n more decisions, given as to `Sums.of`."""
        return replace(self, sums=self.sums + Sums.of(design, outcome, place, len(self.options)))

    def with_options(self, options: Sequence[Option]) -> Bandit:
        """Return the bandit with options as they are now; what was learnt of those that stay (by name) is kept."""
        known = {it.name: place for place, it in enumerate(self.options)}
        source = np.array([known.get(it.name, -1) for it in options])
        return replace(self, options=tuple(options), sums=self.sums.rearranged(source))

    @cached_property
    def posterior(self) -> Posterior:
        """What is believed after the decisions so far."""
        sums, unit = self.sums, np.eye(self.preparation.width)
        nothing = np.linalg.solve(sums.products[0] + self.ridge_nothing * unit, sums.moments[0])
        prior = np.vstack([np.zeros_like(nothing), self._of_other_contacts(nothing)])
        ridge = np.where(np.arange(len(self.options)) == 0, self.ridge_nothing, self.ridge)[:, None]
        inverse = np.linalg.inv(sums.products + ridge[:, :, None] * unit)
        mean = np.einsum("kde,ke->kd", inverse, sums.moments + ridge * prior)
        unexplained = sums.squares - 2 * (mean * sums.moments).sum(axis=1)
        unexplained += np.einsum("kd,kde,ke->k", mean, sums.products, mean)
        start = config.START_SPREAD_DECISIONS * config.START_SPREAD**2
        known = np.maximum(unexplained, 0.0).sum() + start
        return Posterior(mean, inverse, float(known / (sums.counts.sum() + config.START_SPREAD_DECISIONS)))

    def _of_other_contacts(self, nothing: np.ndarray) -> np.ndarray:
        """Return for each option but the first the (d,) coefficients of all the other contacts together."""
        products, moments = self.sums.products[1:], self.sums.moments[1:]
        others = products.sum(axis=0) - products + self.ridge * np.eye(len(nothing))
        return np.linalg.solve(others, (moments.sum(axis=0) - moments + self.ridge * nothing)[:, :, None])[:, :, 0]

    def values(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the (n, k) mean and standard deviation of what each option's expected reward, costs deducted, may be."""
        design, posterior = self.preparation.design(frame), self.posterior
        usual = self.preparation.usual_rewards(frame)[:, None]
        mean = usual * (design @ posterior.mean.T) - np.array([it.cost for it in self.options])
        variance = np.stack([((design @ inverse) * design).sum(axis=1) for inverse in posterior.inverse], axis=1)
        return mean, usual * np.sqrt(posterior.noise_variance * np.maximum(variance, 0.0))

    def save(self, folder: Path) -> None:
        """Write plain files: JSON, and the sums as numpy arrays. Nothing in them is executed on reading."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "options": [it.to_dict() for it in self.options],
            "preparation": self.preparation.to_dict(),
            "ridge": self.ridge,
            "ridge_nothing": self.ridge_nothing,
            "exploration": self.exploration,
            "facts": self.facts,
        }
        (folder / MODEL_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        with (folder / SUMS_FILE).open("wb") as target:
            np.savez(target, **vars(self.sums))

    @classmethod
    def load(cls, folder: Path) -> Bandit:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the files were written by another version of this format.
        """
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"model files of format {content['format']}; this version reads format {FORMAT}")
        with np.load(folder / SUMS_FILE, allow_pickle=False) as arrays:
            sums = Sums(*(arrays[name] for name in Sums.__dataclass_fields__))
        return cls(
            options=tuple(Option(**it) for it in content["options"]),
            preparation=Preparation.from_dict(content["preparation"]),
            sums=sums,
            ridge=content["ridge"],
            ridge_nothing=content["ridge_nothing"],
            exploration=content["exploration"],
            facts=content["facts"],
        )
