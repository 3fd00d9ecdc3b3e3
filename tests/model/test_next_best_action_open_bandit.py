"""Off-policy estimates on a real log: fashion shown by lot and by a Thompson bandit (Open Bandit, small sample)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from models_ml.next_best_action.estimators import Estimate, difference, doubly_robust, ips, snips
from tests.conftest import real_data

CAMPAIGNS = ("men", "women")
LOGS = [(policy, campaign) for policy in ("random", "bts") for campaign in CAMPAIGNS]


class Shown(NamedTuple):
    actions: np.ndarray
    clicks: np.ndarray
    propensity: np.ndarray

    @property
    def arms(self) -> int:
        return int(self.actions.max()) + 1

    def logged_policy(self) -> np.ndarray:
        """The logged propensity of what was shown; the rest, which the log does not tell, is spread over the others."""
        rest = (1 - self.propensity) / (self.arms - 1)
        policy = np.tile(rest[:, None], (1, self.arms))
        policy[np.arange(len(self.actions)), self.actions] = self.propensity
        return policy


def _shown(policy: str, campaign: str) -> Shown:
    frame = pd.read_csv(
        real_data("open_bandit") / policy / campaign / f"{campaign}.csv",
        usecols=["item_id", "click", "propensity_score"],
    )
    return Shown(
        frame["item_id"].to_numpy(), frame["click"].to_numpy(dtype=float), frame["propensity_score"].to_numpy()
    )


def _all_estimates(log: Shown, policy: np.ndarray) -> list[Estimate]:
    means = np.full(policy.shape, log.clicks.mean())
    return [ips(*log, policy), snips(*log, policy), doubly_robust(*log, policy, means)]


@pytest.mark.real_data
@pytest.mark.parametrize(("policy", "campaign"), LOGS)
def test_the_logged_policy_gets_the_logged_mean(policy: str, campaign: str) -> None:
    log = _shown(policy, campaign)
    for found in _all_estimates(log, log.logged_policy()):
        assert found.value == pytest.approx(log.clicks.mean(), abs=1e-12)
        assert found.effective_decisions == pytest.approx(10_000)


@pytest.mark.real_data
@pytest.mark.parametrize(("policy", "campaign"), LOGS)
def test_the_logged_policy_gets_the_logged_mean_of_each_arm(policy: str, campaign: str) -> None:
    log = _shown(policy, campaign)
    target = log.logged_policy()
    for arm in range(log.arms):
        mine = log.actions == arm
        part = Shown(log.actions[mine], log.clicks[mine], log.propensity[mine])
        for found in (ips(*part, target[mine]), snips(*part, target[mine])):
            assert found.value == pytest.approx(part.clicks.mean(), abs=1e-12)


@pytest.mark.real_data
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_always_one_arm_gets_its_logged_mean_from_the_random_log(campaign: str) -> None:
    log = _shown("random", campaign)
    for arm in range(log.arms):
        always = np.tile(np.eye(log.arms)[arm], (len(log.actions), 1))
        expected = log.clicks[log.actions == arm].mean()
        assert snips(*log, always).value == pytest.approx(expected, abs=1e-12)


def _seen_from_the_bandit(campaign: str) -> tuple[Shown, np.ndarray]:
    log = _shown("bts", campaign)
    return log, np.full((len(log.actions), log.arms), 1 / log.arms)


@pytest.mark.real_data
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_the_random_policy_seen_from_the_bandit_s_log(campaign: str) -> None:
    """No estimate contradicts what the random policy really got in its own log, an independent sample."""
    log, even = _seen_from_the_bandit(campaign)
    really = _shown("random", campaign).clicks
    error = really.std(ddof=1) / np.sqrt(len(really))
    for found in _all_estimates(log, even):
        assert abs(found.value - really.mean()) < 1.96 * np.hypot(found.standard_error, error)


@pytest.mark.real_data
def test_the_men_s_log_is_large_enough_to_see_the_random_policy() -> None:
    """SNIPS and doubly robust hold the random log's mean in their intervals, which exclude that of the bandit."""
    log, even = _seen_from_the_bandit("men")
    really = _shown("random", "men").clicks.mean()
    _, self_normalised, robust = _all_estimates(log, even)
    for found in (self_normalised, robust):
        assert found.low < really < found.high < log.clicks.mean()
        assert 500 < found.effective_decisions < 1_000
    gain = difference(*log, log.logged_policy(), even, np.full(even.shape, log.clicks.mean()))
    assert gain.low > 0


@pytest.mark.real_data
def test_the_women_s_log_is_worth_two_decisions() -> None:
    """One propensity of 1e-6 and few clicks: whoever looks at the effective decisions is warned."""
    log, even = _seen_from_the_bandit("women")
    gain = difference(*log, log.logged_policy(), even, np.full(even.shape, log.clicks.mean()))
    assert gain.effective_decisions < 10
    assert gain.low < 0 < gain.high
