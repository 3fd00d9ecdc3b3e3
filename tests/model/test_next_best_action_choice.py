"""Thompson sampling without sampling: exact probabilities, floors, masks, limits, and draws that can be repeated."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from models_ml.next_best_action.choice import CHUNK_ROWS, COARSE, best_probabilities, draw, uniform, with_floor
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.limits import SAMPLE_ROWS, thompson
from models_ml.next_best_action.policy import options_from

DAY = date(2026, 6, 30)


def _posteriors(rows: int, options: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    allowed = rng.random((rows, options)) < 0.8
    allowed[:, 0] = True
    return rng.normal(size=(rows, options)), np.exp(rng.normal(size=(rows, options))), allowed


def test_two_options_have_a_closed_form() -> None:
    mean, spread, _ = _posteriors(CHUNK_ROWS + 500, 2)
    found = best_probabilities(mean, spread, np.ones(mean.shape, dtype=bool))
    expected = ndtr((mean[:, 0] - mean[:, 1]) / np.hypot(spread[:, 0], spread[:, 1]))
    assert np.abs(found[:, 0] - expected).max() < 1e-9


def test_five_options_as_by_a_million_draws() -> None:
    mean, spread, allowed = _posteriors(6, 5)
    draws = np.random.default_rng(2).normal(mean, spread, size=(1_000_000, *mean.shape))
    best = np.where(allowed, draws, -np.inf).argmax(axis=2)
    counted = np.stack([np.bincount(best[:, row], minlength=5) for row in range(6)]) / len(draws)
    found = best_probabilities(mean, spread, allowed)
    assert (np.abs(found - counted) <= 5 * np.sqrt(counted * (1 - counted) / len(draws)) + 1e-6).all()


@pytest.mark.parametrize("narrow", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_rows_sum_to_one_and_masks_hold(narrow: float, offset: float) -> None:
    mean, spread, allowed = _posteriors(500, 5)
    spread[:, 1] *= narrow
    found = best_probabilities(mean + offset, spread, allowed)
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-9
    assert (found >= 0).all()
    assert (found[~allowed] == 0).all()
    assert (found[allowed.sum(axis=1) == 1].max(axis=1) == 1).all()
    # What all have in common does not matter.
    assert np.abs(found - best_probabilities(mean, spread, allowed)).max() < 1e-6


def test_a_narrow_posterior_beside_a_wide_one() -> None:
    mean, spread = np.array([[0.3, 0.0, -0.2]]), np.array([[1e-6, 1.0, 1e-6]])
    found = best_probabilities(mean, spread, np.ones((1, 3), dtype=bool))
    assert found[0] == pytest.approx([ndtr(0.3), ndtr(-0.3), 0], abs=1e-7)


def test_options_that_are_alike_share_alike() -> None:
    everything = np.ones((1, 4), dtype=bool)
    assert best_probabilities(np.full((1, 4), 7.0), np.full((1, 4), 2.0), everything) == pytest.approx(0.25)
    assert best_probabilities(np.zeros((1, 4)), np.zeros((1, 4)), everything) == pytest.approx(0.25)
    certain = best_probabilities(np.array([[1.0, 2.0, 1.5, 0.0]]), np.zeros((1, 4)), everything)
    assert certain[0] == pytest.approx([0, 1, 0, 0])


def test_a_row_must_allow_something() -> None:
    with pytest.raises(ValueError, match="allows no option"):
        best_probabilities(np.zeros((2, 2)), np.ones((2, 2)), np.array([[True, True], [False, False]]))


def test_the_floor_is_for_every_allowed_option() -> None:
    mean, spread, allowed = _posteriors(300, 5)
    found = with_floor(best_probabilities(10 * mean, spread, allowed), allowed, 0.03)
    assert found[allowed].min() >= 0.03 - 1e-12
    assert (found[~allowed] == 0).all()
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-9
    alone = allowed.sum(axis=1) == 1
    assert (found[alone, 0] == 1).all()
    with pytest.raises(ValueError, match=r"at least 0\.3 each"):
        with_floor(found, allowed, 0.3)


def test_draws_follow_the_probabilities() -> None:
    ids = pd.Series([f"C{number}" for number in range(60_000)])
    chances = np.tile([0.5, 0.0, 0.15, 0.3, 0.05], (len(ids), 1))
    counted = np.bincount(draw(chances, ids, DAY, 1), minlength=5) / len(ids)
    assert (np.abs(counted - chances[0]) < 4 * np.sqrt(chances[0] * (1 - chances[0]) / len(ids)) + 1e-9).all()


def test_draws_can_be_repeated_and_depend_on_entity_day_and_seed_alone() -> None:
    ids = pd.Series([f"C{number}" for number in range(2_000)])
    chances = np.tile([0.4, 0.3, 0.3], (len(ids), 1))
    first = draw(chances, ids, DAY, 1)
    assert (draw(chances, ids, DAY, 1) == first).all()
    some = np.random.default_rng(3).permutation(2_000)[:700]
    assert (draw(chances[some], ids.iloc[some], DAY, 1) == first[some]).all()
    for other in (draw(chances, ids, date(2026, 7, 1), 1), draw(chances, ids, DAY, 2)):
        assert 0.2 < (other == first).mean() < 0.5  # 0.34 where they are independent


def test_hashed_numbers_are_uniform() -> None:
    numbers = uniform(pd.Series(range(50_000)), "salt")
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.bincount((numbers * 20).astype(int), minlength=20)
    assert ((counts - 2_500) ** 2 / 2_500).sum() < 45  # chi-square with 19 degrees of freedom: p = 0.0007


def test_the_coarse_grid_is_near_enough_to_search_on() -> None:
    mean, spread, allowed = _posteriors(500, 5)
    exact = best_probabilities(mean, spread, allowed)
    assert 1e-9 < np.abs(best_probabilities(mean, spread, allowed, COARSE) - exact).max() < 1e-4


def _limited(rows: int, limits: dict[str, float], **settings: float) -> np.ndarray:
    options = options_from(
        [{"name": name, "cost": 0.0, "max_share": limits.get(name, 1.0)} for name in ("mail", "call", "bonus")]
    )
    mean, spread, allowed = _posteriors(rows, 4)
    return thompson(mean + np.array([0, 2, 1, 1]), spread, allowed, options, floor=0.01, **settings)


def test_shares_stay_within_their_limits() -> None:
    free = _limited(SAMPLE_ROWS, {}).mean(axis=0)
    assert free[1] > 0.3
    assert free[2] > 0.15
    found = _limited(SAMPLE_ROWS, {"mail": 0.1, "call": 0.12}, max_contact_share=0.4)
    bound = found.mean(axis=0)
    assert 0.08 < bound[1] <= 0.1 + 1e-12
    assert 0.1 < bound[2] <= 0.12 + 1e-12
    assert 0.396 < bound[1:].sum() <= 0.4 + 1e-12
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-9


def test_prices_found_on_a_sample_hold_for_all() -> None:
    found = _limited(2_000, {"mail": 0.08}, max_contact_share=0.2)
    assert 0.19 < found[:, 1:].sum(axis=1).mean() <= 0.2 + 1e-12
    assert 0.05 < found[:, 1].mean() <= 0.08 + 1e-12
    assert found[found > 0].min() >= 0.01 - 1e-12


def test_a_limit_keeps_those_who_gain_most() -> None:
    options = options_from([{"name": "mail", "cost": 0.0}])
    mean = np.column_stack([np.zeros(200), np.linspace(-1, 3, 200)])
    args = mean, np.full((200, 2), 0.1), np.ones((200, 2), dtype=bool), options
    found = thompson(*args, floor=0.001, max_contact_share=0.25)
    assert found[-40:, 1].min() > 0.9
    assert found[:100, 1].max() < 0.01
    # The order of the rows does not matter.
    order = np.random.default_rng(4).permutation(200)
    again = thompson(mean[order], args[1], args[2], options, floor=0.001, max_contact_share=0.25)
    assert np.abs(again - found[order]).max() < 1e-3


def test_exploring_beyond_a_limit_is_an_error_that_names_the_option() -> None:
    with pytest.raises(ActionInputError, match=r"exploring takes 0\.0\d+ of the entities for mail"):
        _limited(100, {"mail": 0.005})


def test_a_limit_hardly_above_exploring_leaves_exploring_alone() -> None:
    found = _limited(1_500, {}, max_contact_share=0.0245)
    assert found[:, 1:].sum(axis=1).mean() <= 0.0245 + 1e-12
    assert found[found > 0].min() >= 0.01 - 1e-12


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_limit_of_contacts_is_a_share(share: float) -> None:
    with pytest.raises(ActionInputError, match="the limit of contacts is"):
        _limited(10, {}, max_contact_share=share)


def test_nobody_to_decide_on() -> None:
    assert thompson(np.zeros((0, 2)), np.zeros((0, 2)), np.ones((0, 2), bool), (), floor=0.1).shape == (0, 2)
