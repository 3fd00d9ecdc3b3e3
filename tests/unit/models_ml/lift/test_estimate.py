"""Effects by hand, what makes one impossible to state, and intervals that keep their promise on heavy-tailed revenue."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from models_ml.lift import config
from models_ml.lift.estimate import action_effect, arm_effect


def revenue(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return what customers bring: two in ten buy, few of them much."""
    return (random.random(rows) < 0.2) * random.lognormal(4.0, 1.0, rows)


def test_without_covariates_it_is_the_difference_of_two_means() -> None:
    random = np.random.default_rng(1)
    outcome, is_treated = random.normal(10, 3, 500), np.arange(500) % 5 > 0
    effect = arm_effect(outcome, is_treated)
    first, other = outcome[is_treated], outcome[~is_treated]
    assert effect.value == pytest.approx(first.mean() - other.mean())
    pooled = (400 * first.var(ddof=1) + 100 * other.var(ddof=1)) / 500  # HC2 without covariates divides by n - 1
    assert effect.standard_error == pytest.approx((pooled / 400 + pooled / 100) ** 0.5)
    assert (effect.treated, effect.compared, effect.reason) == (400, 100, None)
    assert effect.high - effect.value == pytest.approx(effect.value - effect.low)


def test_sides_that_clearly_differ_keep_the_larger_variance() -> None:
    random = np.random.default_rng(2)
    is_treated = np.arange(600) % 6 > 0
    outcome = np.where(is_treated, random.normal(0, 1, 600), random.normal(0, 4, 600))
    first, other = outcome[is_treated].var(ddof=1), outcome[~is_treated].var(ddof=1)
    pooled = (500 * first + 100 * other) / 600
    expected = (max(first, pooled) / 500 + max(other, pooled) / 100) ** 0.5
    assert arm_effect(outcome, is_treated).standard_error == pytest.approx(expected)


def test_what_was_known_before_is_taken_out() -> None:
    """Outcomes that follow from the covariate but for a constant give that constant, without an error."""
    before = np.random.default_rng(3).gamma(2.0, 50.0, (400, 1))
    is_treated = np.arange(400) % 4 > 0
    effect = arm_effect(3 * before[:, 0] + 7 * is_treated, is_treated, before)
    assert effect.value == pytest.approx(7)
    assert effect.standard_error == pytest.approx(0, abs=1e-9)


def test_covariates_that_are_constant_or_repeat_each_other_change_nothing() -> None:
    random = np.random.default_rng(4)
    before, outcome = random.normal(size=300), random.normal(size=300)
    is_treated = np.arange(300) % 3 > 0
    once = arm_effect(outcome, is_treated, before[:, None])
    twice = arm_effect(outcome, is_treated, np.column_stack([before, 2 * before, np.ones(300)]))
    assert (twice.value, once.treated) == (pytest.approx(once.value), twice.treated)
    assert twice.standard_error == pytest.approx(once.standard_error, rel=0.02)


def test_decisions_that_only_repeat_an_entity_add_nothing() -> None:
    random = np.random.default_rng(5)
    outcome, is_treated = random.normal(size=400), np.arange(400) % 4 > 0
    once = arm_effect(outcome, is_treated)
    thrice = arm_effect(np.tile(outcome, 3), np.tile(is_treated, 3), entities=np.tile(np.arange(400), 3))
    assert (thrice.value, thrice.effective_compared) == (pytest.approx(once.value), pytest.approx(100))
    assert thrice.standard_error == pytest.approx(once.standard_error, rel=0.01)


def test_an_option_is_weighted_to_all_who_could_have_got_it() -> None:
    """Half of the entities get it with 0.8, half with 0.2; it brings 10 to the first and 20 to the others: 15 on average."""
    is_often = np.arange(1_000) % 2 == 0
    is_action = np.where(is_often, np.arange(1_000) % 10 < 8, np.arange(1_000) % 10 < 2)
    outcome = np.where(is_often, 100.0, 0.0) + is_action * np.where(is_often, 10.0, 20.0)
    chance = np.where(is_action == is_often, 0.8, 0.2)
    effect = action_effect(outcome, is_action, ~is_action, chance)
    assert effect.value == pytest.approx(15)
    assert outcome[is_action].mean() - outcome[~is_action].mean() > 50  # what would be said without the weights
    # 400 of weight 1.25 and 100 of weight 5
    assert effect.effective_treated == pytest.approx((400 * 1.25 + 100 * 5) ** 2 / (400 * 1.25**2 + 100 * 25))


def test_other_options_count_among_whom_it_is_for() -> None:
    random = np.random.default_rng(6)
    drawn, before = random.integers(0, 3, 3_000), random.normal(size=3_000)
    outcome = np.where(drawn == 1, 5.0 + before, 0.0) + random.normal(0, 0.1, 3_000)
    effect = action_effect(outcome, drawn == 1, drawn == 0, np.full(3_000, 1 / 3), before[:, None])
    assert effect.low < 5 + before.mean() < effect.high
    assert effect.treated + effect.compared == (drawn < 2).sum()


@pytest.mark.parametrize(
    ("treated", "compared", "said"),
    [(49, 500, "treated"), (500, 49, "compared with"), (0, 500, "treated"), (0, 0, "treated")],
)
def test_too_few_give_a_reason_and_no_figure(treated: int, compared: int, said: str) -> None:
    outcome = np.random.default_rng(7).random(treated + compared)
    effect = arm_effect(outcome, np.arange(len(outcome)) < treated, outcome[:, None])
    assert said in effect.reason
    assert (effect.value, effect.low, effect.high) == (None, None, None)
    assert (effect.treated, effect.compared) == (treated, compared)


@pytest.mark.parametrize("buyers", [0, 19])
def test_too_few_buyers_give_a_reason(buyers: int) -> None:
    outcome = (np.arange(1_000) < buyers) * 50.0
    assert str(buyers) in arm_effect(outcome, np.arange(1_000) % 2 == 0).reason
    assert arm_effect((np.arange(1_000) < 20) * 50.0, np.arange(1_000) % 2 == 0).reason is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": np.full(100, np.nan)}, "the outcome of decision 0"),
        ({"outcome": np.ones(99)}, "differ in length"),
        ({"covariates": np.ones(100)}, "a row for each decision"),
        ({"covariates": np.full((100, 1), np.inf)}, "the covariates of decision 0"),
        ({"entities": np.arange(7)}, "differ in length"),
        ({"propensity": np.zeros(100)}, "the propensity of decision 0"),
        ({"is_nothing": np.ones(100, dtype=bool)}, "both the option and nothing"),
    ],
)
def test_what_is_wrong_in_the_log_is_refused(change: dict, message: str) -> None:
    is_action = np.arange(100) % 2 == 0
    given = {"outcome": np.ones(100), "is_action": is_action, "is_nothing": ~is_action, "propensity": np.full(100, 0.5)}
    with pytest.raises(ValueError, match=message):
        action_effect(**{**given, **change})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("effect", [0.0, 8.0])
def test_intervals_of_a_small_control_arm_cover_the_truth(effect: float) -> None:
    """400 draws with 400 left alone of 3,300: misses within the binomial bounds of 5 %."""
    random = np.random.default_rng(8)
    runs, misses = 400, 0
    for _ in range(runs):
        outcome = revenue(random, 3_300)
        is_treated = random.random(3_300) > 0.12
        it = arm_effect(outcome + effect * is_treated, is_treated)
        misses += not it.low <= effect <= it.high
    reach = NormalDist().inv_cdf(0.995) * (config.CONFIDENCE * (1 - config.CONFIDENCE) / runs) ** 0.5
    assert abs(misses / runs - (1 - config.CONFIDENCE)) < reach


def test_intervals_of_drawn_options_cover_the_truth() -> None:
    """The chance of the option rises with what a customer brings anyway: unweighted, the effect would be far too high."""
    random = np.random.default_rng(9)
    runs, misses = 300, 0
    for _ in range(runs):
        size = random.lognormal(0, 0.7, 1_500)
        chance = np.clip(0.15 + 0.2 * size / size.mean(), 0.1, 0.7)
        is_action = random.random(1_500) < chance
        outcome = revenue(random, 1_500) * size + 5.0 * is_action
        propensity = np.where(is_action, chance, 1 - chance)
        it = action_effect(outcome, is_action, ~is_action, propensity, np.sqrt(size)[:, None])
        misses += not it.low <= 5.0 <= it.high
    assert 0.02 < misses / runs < 0.085
