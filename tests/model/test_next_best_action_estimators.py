"""Off-policy estimates: right on average, intervals that cover, bounds that hold, and errors that name what is wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from models_ml.next_best_action.estimators import Estimate, difference, doubly_robust, effective, ips, snips
from tests.next_best_action_world import TABLE

REPEATS = 400
WRONG_MEANS = np.array([[3.0, 1.0, 0.0, 2.0], [1.0, 1.0, 5.0, 1.0], [0.0, 4.0, 2.0, 3.0]])


def _repeats(method: str, count: int, means: np.ndarray | None = None) -> list[Estimate]:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(REPEATS):
        context, *log = TABLE.log(rng, count)
        target = TABLE.target[context]
        if method == "doubly_robust":
            found.append(doubly_robust(*log, target, (TABLE.means if means is None else means)[context]))
        else:
            found.append({"ips": ips, "snips": snips}[method](*log, target))
    return found


@pytest.mark.parametrize(
    ("method", "means"), [("ips", None), ("doubly_robust", None), ("doubly_robust", WRONG_MEANS)], ids=str
)
def test_unbiased_even_in_small_logs(method: str, means: np.ndarray | None) -> None:
    values = np.array([it.value for it in _repeats(method, 30, means)])
    error = values.std(ddof=1) / math.sqrt(REPEATS)
    assert abs(values.mean() - TABLE.value) < 4 * error
    # The test could tell: ignoring the propensities is off by many times as much.
    rng = np.random.default_rng(3)
    naive = np.mean([TABLE.log(rng, 30)[2].mean() for _ in range(REPEATS)])
    assert abs(naive - TABLE.value) > 10 * error


def test_snips_is_consistent_though_biased() -> None:
    rng = np.random.default_rng(4)
    context, *log = TABLE.log(rng, 400_000)
    found = snips(*log, TABLE.target[context])
    assert abs(found.value - TABLE.value) < 4 * found.standard_error < 0.1


@pytest.mark.parametrize("method", ["ips", "snips", "doubly_robust"])
def test_intervals_cover_as_often_as_they_say(method: str) -> None:
    hits = sum(it.low <= TABLE.value <= it.high for it in _repeats(method, 1_500))
    expected, spread = 0.95 * REPEATS, math.sqrt(REPEATS * 0.95 * 0.05)
    assert abs(hits - expected) < 3.5 * spread


@pytest.mark.parametrize("method", ["ips", "snips", "doubly_robust"])
def test_standard_errors_are_the_spread_over_repeats(method: str) -> None:
    found = _repeats(method, 1_500)
    spread = np.std([it.value for it in found], ddof=1)
    assert np.mean([it.standard_error for it in found]) == pytest.approx(spread, rel=0.12)


def test_good_reward_means_narrow_the_interval() -> None:
    context, *log = TABLE.log(np.random.default_rng(5), 2_000)
    target = TABLE.target[context]
    assert doubly_robust(*log, target, TABLE.means[context]).standard_error < 0.7 * ips(*log, target).standard_error


def test_snips_stays_within_the_rewards_where_ips_does_not() -> None:
    rng = np.random.default_rng(6)
    propensity = rng.uniform(1e-6, 1, 200)
    rewards = rng.uniform(2, 3, 200)
    target = np.tile([0.9, 0.1], (200, 1))
    log = np.zeros(200, int), rewards, propensity
    assert rewards.min() <= snips(*log, target).value <= rewards.max()
    assert ips(*log, target).value > 10


def test_all_rewards_alike_are_estimated_exactly_by_snips() -> None:
    context, actions, _, propensity = TABLE.log(np.random.default_rng(7), 500)
    found = snips(actions, np.full(500, 0.1), propensity, TABLE.target[context])
    assert found.value == 0.1
    assert found.standard_error == pytest.approx(0, abs=1e-15)


def test_the_logged_policy_gets_the_logged_mean() -> None:
    context, actions, rewards, propensity = TABLE.log(np.random.default_rng(8), 1_000)
    policy = TABLE.logging[context]
    usual_error = rewards.std(ddof=1) / math.sqrt(1_000)
    for found in (ips(actions, rewards, propensity, policy), snips(actions, rewards, propensity, policy)):
        assert found.value == pytest.approx(rewards.mean(), rel=1e-12)
        assert found.standard_error == pytest.approx(usual_error, rel=1e-12)
        assert found.effective_decisions == pytest.approx(1_000)
        assert found.decisions == 1_000


@pytest.mark.parametrize("method", ["ips", "snips", "doubly_robust"])
def test_a_difference_is_that_of_the_estimates_and_narrower_than_of_two_logs(method: str) -> None:
    context, *log = TABLE.log(np.random.default_rng(9), 2_000)
    old = 0.8 * TABLE.target + 0.2 * TABLE.logging
    policies, means = (TABLE.target[context], old[context]), TABLE.means[context]
    found = difference(*log, *policies, means, method=method)
    if method == "doubly_robust":
        single = [doubly_robust(*log, policy, means) for policy in policies]
    else:
        single = [{"ips": ips, "snips": snips}[method](*log, policy) for policy in policies]
    assert found.value == pytest.approx(single[0].value - single[1].value, abs=1e-12)
    assert found.standard_error < math.hypot(single[0].standard_error, single[1].standard_error) / 2
    assert found.effective_decisions == min(it.effective_decisions for it in single)
    same = difference(*log, policies[0], policies[0], means, method=method)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert same.effective_decisions == 0, "where policies agree, nothing is seen of a difference"


def test_intervals_of_differences_cover() -> None:
    rng, hits = np.random.default_rng(10), 0
    truth = TABLE.value - float((TABLE.logging * TABLE.means).sum(axis=1).mean())
    for _ in range(REPEATS):
        context, *log = TABLE.log(rng, 1_000)
        it = difference(*log, TABLE.target[context], TABLE.logging[context], WRONG_MEANS[context])
        hits += it.low <= truth <= it.high
    assert abs(hits - 0.95 * REPEATS) < 3.5 * math.sqrt(REPEATS * 0.95 * 0.05)


def test_decisions_on_one_entity_count_as_related() -> None:
    context, *log = TABLE.log(np.random.default_rng(11), 500)
    target = TABLE.target[context]
    tripled = [np.tile(column, 3) for column in log]
    apart = ips(*log, target)
    related = ips(*tripled, np.tile(target, (3, 1)), entities=np.tile(np.arange(500), 3))
    assert related.value == pytest.approx(apart.value)
    assert related.standard_error == pytest.approx(apart.standard_error)
    assert ips(*tripled, np.tile(target, (3, 1))).standard_error < 0.6 * apart.standard_error


def test_effective_decisions() -> None:
    assert effective(np.ones(7)) == 7
    assert effective(np.array([0.0, 5.0, 0.0])) == 1
    assert effective(np.zeros(3)) == 0
    assert effective(np.array([1e200, 1e200])) == 2


def test_a_single_decision_has_no_error_bounds() -> None:
    found = ips(np.array([0]), np.array([3.0]), np.array([0.5]), np.array([[0.5, 0.5]]))
    assert found.value == 3
    assert (found.low, found.high) == (-math.inf, math.inf)


GOOD: dict[str, Any] = {
    "actions": np.array([0, 1, 1]),
    "rewards": np.array([1.0, 2.0, 3.0]),
    "logged_propensity": np.array([0.5, 0.5, 0.2]),
    "target_probabilities": np.full((3, 2), 0.5),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logged_propensity": np.array([0.5, 0.0, 0.2])}, "logged propensity of decision 1 is 0.0"),
        ({"logged_propensity": np.array([0.5, -0.1, 0.2])}, "logged propensity of decision 1 is -0.1"),
        ({"logged_propensity": np.array([0.5, 0.5, 1.01])}, "logged propensity of decision 2 is 1.01"),
        ({"logged_propensity": np.array([np.nan, 0.5, 1.0])}, "logged propensity of decision 0 is nan"),
        ({"actions": np.array([0, 1, 2])}, "action of decision 2 is 2; expected one of the 2 options"),
        ({"actions": np.array([0, -1, 1])}, "action of decision 1 is -1"),
        ({"actions": np.array([0.0, 1.0, 1.0])}, "expected the number of an option"),
        ({"rewards": np.array([1.0, np.nan, 3.0])}, "reward of decision 1 is nan"),
        ({"rewards": np.array([1.0, 2.0])}, "rewards has shape"),
        ({"target_probabilities": np.full((3, 2), 0.4)}, "sum of the policy's probabilities of decision 0 is 0.8"),
        ({"target_probabilities": np.array([[1.5, -0.5]] * 3)}, "0 or more"),
        ({"target_probabilities": np.full((3, 2), np.nan)}, "0 or more"),
        ({"target_probabilities": np.full((2, 2), 0.5)}, "a row for each of 3 decisions"),
        ({"entities": np.array(["a", "b"])}, "entities has shape"),
        (
            {
                "actions": np.zeros(0, int),
                "rewards": np.zeros(0),
                "logged_propensity": np.zeros(0),
                "target_probabilities": np.zeros((0, 2)),
            },
            "the log is empty",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    for estimator in (ips, snips):
        with pytest.raises(ValueError, match=message):
            estimator(**(GOOD | change))


def test_errors_of_policies_and_means() -> None:
    log = GOOD["actions"], GOOD["rewards"], GOOD["logged_propensity"]
    never = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="none of the logged actions"):
        snips(*log, never)
    assert ips(*log, never).value == 0
    with pytest.raises(ValueError, match="reward means have shape"):
        doubly_robust(*log, never, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="reward means of decision 0"):
        doubly_robust(*log, never, np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="no estimator 'best'"):
        difference(*log, never, never, method="best")
    with pytest.raises(ValueError, match="needs the reward means"):
        difference(*log, never, never)
    with pytest.raises(ValueError, match="3 options, the old one 2"):
        difference(*log, np.full((3, 3), 1 / 3), never)
