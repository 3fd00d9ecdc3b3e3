"""Where chance comes from: one sequence for the history, or uniforms of each customer's own day for worlds compared.

Two worlds that differ in whom the company contacts must not differ by luck. `ByCustomer` gives the same customer on the
same day for the same purpose the same number in every world of a seed, whoever else is asked (common random numbers), so
every difference between two worlds is caused by actions alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

Who = int | np.ndarray  # the first so many customers, or these


class Draws(Protocol):
    """Random numbers for customers; `what` names the purpose."""

    def uniform(self, who: Who, what: str) -> np.ndarray:
        """Return numbers between 0 and 1 (float32: twice as fast, and exact enough)."""
        ...

    def integers(self, low: int, high: int, who: Who, what: str) -> np.ndarray:
        """Return whole numbers from `low` to `high` - 1."""
        ...

    def gamma(self, shape: float, scale: float, who: Who, what: str) -> np.ndarray:
        """Return gamma distributed numbers."""
        ...

    def poisson(self, mean: float, who: Who, what: str) -> np.ndarray:
        """Return Poisson distributed counts."""
        ...

    def choice(self, values: Sequence[int], shares: Sequence[float], who: Who, what: str) -> np.ndarray:
        """Return one of `values` for each, by `shares`."""
        ...

    def lot(self, known: int, share: float, what: str) -> np.ndarray:
        """Return some of the first `known` customers, on average `share` of them; a name may come twice."""
        ...


class InSequence:
    """Numbers from one generator, in the order in which they are asked for (the history)."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def uniform(self, who: Who, what: str) -> np.ndarray:
        """Return numbers between 0 and 1."""
        return self.rng.random(_count(who), dtype=np.float32)

    def integers(self, low: int, high: int, who: Who, what: str) -> np.ndarray:
        """Return whole numbers from `low` to `high` - 1."""
        return self.rng.integers(low, high, _count(who))

    def gamma(self, shape: float, scale: float, who: Who, what: str) -> np.ndarray:
        """Return gamma distributed numbers."""
        return self.rng.gamma(shape, scale, _count(who))

    def poisson(self, mean: float, who: Who, what: str) -> np.ndarray:
        """Return Poisson distributed counts."""
        return self.rng.poisson(mean, _count(who))

    def choice(self, values: Sequence[int], shares: Sequence[float], who: Who, what: str) -> np.ndarray:
        """Return one of `values` for each, by `shares`."""
        return self.rng.choice(values, _count(who), p=shares)

    def lot(self, known: int, share: float, what: str) -> np.ndarray:
        """Return some of the first `known` customers."""
        return self.rng.integers(max(known, 1), size=self.rng.poisson(share * known))


class ByCustomer:
    """Numbers that belong to a customer, a day and a purpose.

    For each day and purpose a generator of its own draws for all customers from the first one on, and those asked for are
    picked; so a number depends neither on who is asked nor on how many customers there are.

    Parameters
    ----------
    seed : int
        Of the company.
    day : int
        Day number; `day` is set anew before each step.
    """

    def __init__(self, seed: int, day: int = 0) -> None:
        self.seed = seed
        self.day = day

    def uniform(self, who: Who, what: str) -> np.ndarray:
        """Return numbers between 0 and 1."""
        return self._generator(what).random(_last(who), dtype=np.float32)[_picked(who)]

    def integers(self, low: int, high: int, who: Who, what: str) -> np.ndarray:
        """Return whole numbers from `low` to `high` - 1."""
        # From doubles, one each: rejection within `Generator.integers` works in blocks that depend on the length.
        uniform = self._generator(what).random(_last(who))[_picked(who)]
        return low + (uniform * (high - low)).astype(np.int64)

    def gamma(self, shape: float, scale: float, who: Who, what: str) -> np.ndarray:
        """Return gamma distributed numbers."""
        return self._generator(what).gamma(shape, scale, _last(who))[_picked(who)]

    def poisson(self, mean: float, who: Who, what: str) -> np.ndarray:
        """Return Poisson distributed counts."""
        return self._generator(what).poisson(mean, _last(who))[_picked(who)]

    def choice(self, values: Sequence[int], shares: Sequence[float], who: Who, what: str) -> np.ndarray:
        """Return one of `values` for each, by `shares`."""
        place = np.searchsorted(np.cumsum(shares), self._generator(what).random(_last(who))[_picked(who)], side="right")
        return np.asarray(values)[np.minimum(place, len(values) - 1)]

    def lot(self, known: int, share: float, what: str) -> np.ndarray:
        """Return some of the first `known` customers."""
        return np.flatnonzero(self._generator(what).random(known) < share)

    def _generator(self, what: str) -> np.random.Generator:
        key = (FORWARD, self.day, zlib.crc32(what.encode()))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


FORWARD = 1000  # beyond the places of `streams.PARTS`: no stream of the history begins with it


def day_stream(seed: int, day: int, what: str) -> np.random.Generator:
    """Return the generator of what does not belong to one customer: who arrives on a day, and how rows look."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(FORWARD + 1, day, zlib.crc32(what.encode()))))


def _count(who: Who) -> int:
    return len(who) if isinstance(who, np.ndarray) else int(who)


def _last(who: Who) -> int:
    if isinstance(who, np.ndarray):
        return int(who.max()) + 1 if len(who) else 0
    return int(who)


def _picked(who: Who) -> slice | np.ndarray:
    return who if isinstance(who, np.ndarray) else slice(None)
