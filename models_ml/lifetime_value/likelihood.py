"""The log-likelihood of buying-until-lost models with Erlang-k gaps, and its gradient.

A customer buys with gaps that are Erlang(k, lambda), lambda ~ Gamma(r, alpha), and is lost after a purchase with probability
p ~ Beta(a, b). Counted from the first repeat purchase that is BG/NBD (k = 1; Fader, Hardie and Lee 2005); when the customer may
be lost right after the first purchase, MBG/NBD (k = 1; Batislam, Denizel and Filiztekin 2007) or MBG/CNBD-k (Platzer and
Reutterer 2016). All are one formula: x' chances to be lost so far, of which the last may have been taken,

L = a^(r) / G(r) x { B(a, b + x') / B(a, b) x sum_j<k (T - t_x)^j / j! G(r + kx + j) / (alpha + T)^(r + kx + j)    alive
                   + B(a + 1, b + x' - 1) / B(a, b) x G(r + kx) / (alpha + t_x)^(r + kx) }                         lost

with x' = x (no lost term for x = 0) or x' = x + 1. What depends on x alone is worked out once for each x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln, xlogy

from models_ml.lifetime_value.triples import Triples


@dataclass(frozen=True)
class Family:
    """Which of the models.

    Parameters
    ----------
    k : int
        Shape of the Erlang gaps: 1 buys at random, more is more regular.
    lost_at_once : bool
        Whether a customer may be lost right after the first purchase (MBG), or only after a repeat purchase (BG).
    """

    k: int = 1
    lost_at_once: bool = False

    @property
    def name(self) -> str:
        """The model's name in the literature."""
        prefix = "MBG" if self.lost_at_once else "BG"
        return f"{prefix}/NBD" if self.k == 1 else f"{prefix}/CNBD-{self.k}"


class Likelihood:
    """Log-likelihood of one family on one set of triples, as a function of log(r, alpha, a, b)."""

    def __init__(self, family: Family, triples: Triples) -> None:
        self.family = family
        self.weight = triples.weight
        self.total_weight = float(triples.weight.sum())
        self.x, self.place = np.unique(triples.frequency, return_inverse=True)  # (v,), (u,)
        self.weight_of_x = np.bincount(self.place, weights=triples.weight)
        self.chances = self.x + family.lost_at_once  # x' in the module's formula
        self.recency, self.T = triples.recency, triples.T
        steps = np.arange(family.k)[:, None]
        gap = triples.T - triples.recency
        self.log_gap_power = xlogy(steps, gap[None, :]) - gammaln(steps + 1)  # (k, u)

    def value_and_gradient(self, log_parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log-likelihood and its gradient in log(r, alpha, a, b)."""
        r, alpha, a, b = np.exp(log_parameters)
        log_alive, log_lost, share_of_step = self.parts(r, alpha, a, b)
        both = np.logaddexp(log_alive, log_lost)
        value = float(self.weight @ both + self.weight_of_x @ self._of_x_alone(r, alpha, a, b))
        alive = np.exp(log_alive - both)
        gradient = self._gradient(r, alpha, a, b, alive, share_of_step)
        return value, gradient * np.array([r, alpha, a, b])

    def _of_x_alone(self, r: float, alpha: float, a: float, b: float) -> np.ndarray:
        """Return the (v,) factors that alive and lost customers share."""
        n = self.chances
        beta = gammaln(b + n) - gammaln(a + b + n) + gammaln(a + b) - gammaln(b)
        return beta + gammaln(r + self.family.k * self.x) - gammaln(r) + r * np.log(alpha)

    def parts(self, r: float, alpha: float, a: float, b: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log of the alive and of the lost part (u,), without `_of_x_alone`, and the (k, u) shares of the alive sum."""
        shape = r + self.family.k * self.x
        log_alpha_T = np.log(alpha + self.T)
        steps = np.arange(self.family.k)[:, None]
        rising = (gammaln(shape + steps) - gammaln(shape))[:, self.place]
        each = self.log_gap_power + rising - steps * log_alpha_T
        log_sum = np.logaddexp.reduce(each, axis=0)
        share_of_step = np.exp(each - log_sum)
        shape = shape[self.place]
        log_lost = -shape * np.log(alpha + self.recency) + self._log_odds_lost(a, b)[self.place]
        return log_sum - shape * log_alpha_T, log_lost, share_of_step

    def _log_odds_lost(self, a: float, b: float) -> np.ndarray:
        """Return (v,) log of a / (b + x' - 1), -inf where nobody can have been lost yet."""
        odds = np.full(len(self.x), -np.inf)
        can_be = self.chances > 0
        odds[can_be] = np.log(a) - np.log(b + self.chances[can_be] - 1)
        return odds

    def _gradient(
        self, r: float, alpha: float, a: float, b: float, alive: np.ndarray, share_of_step: np.ndarray
    ) -> np.ndarray:
        """Return the gradient in (r, alpha, a, b); `alive` is each triple's (u,) share of the alive part."""
        k, n, steps = self.family.k, self.chances, np.arange(self.family.k)[:, None]
        shape_of_x = r + k * self.x
        shape = shape_of_x[self.place]
        lost = 1 - alive
        weighted_alive, weighted_lost = self.weight * alive, self.weight * lost
        step = (share_of_step * steps).sum(axis=0)
        extra = ((digamma(shape_of_x + steps) - digamma(shape_of_x))[:, self.place] * share_of_step).sum(axis=0)
        total, of_x = self.total_weight, self.weight_of_x
        by_r = (
            of_x @ digamma(shape_of_x)
            + total * (np.log(alpha) - digamma(r))
            + weighted_alive @ (extra - np.log(alpha + self.T))
            - weighted_lost @ np.log(alpha + self.recency)
        )
        by_alpha = (
            total * r / alpha
            - weighted_alive @ ((shape + step) / (alpha + self.T))
            - weighted_lost @ (shape / (alpha + self.recency))
        )
        lost_of_x = np.bincount(self.place, weights=weighted_lost, minlength=len(self.x))
        common = total * digamma(a + b) - of_x @ digamma(a + b + n)
        can_be = n > 0
        by_b = common + of_x @ digamma(b + n) - total * digamma(b) - lost_of_x[can_be] @ (1 / (b + n[can_be] - 1))
        return np.array([by_r, by_alpha, common + lost_of_x.sum() / a, by_b])
