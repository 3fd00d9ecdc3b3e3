"""What a bandit learns: the textbook posterior from sums that add up in any order, kept in plain files."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.next_best_action.bandit import MODEL_FILE, Bandit
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.policy import Option, options_from, uniform
from models_ml.next_best_action.predict import choose, expected_rewards, load, probabilities
from models_ml.next_best_action.train import begin, fit, update
from tests.next_best_action_world import COSTS, FEATURES, NAMES, OPTIONS, decisions, effects, entities

DAY = date(2026, 6, 30)
EVERYTHING = np.ones((6_000, 4), dtype=bool)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return entities(6_000)


@pytest.fixture(scope="module")
def log(people: pd.DataFrame) -> pd.DataFrame:
    return decisions(people, uniform(EVERYTHING))


@pytest.fixture(scope="module")
def bandit(log: pd.DataFrame) -> Bandit:
    return fit(log, OPTIONS, FEATURES, prior_decisions=100)


def test_the_posterior_is_that_of_ridge_regression_on_the_rows(bandit: Bandit, log: pd.DataFrame) -> None:
    design = bandit.preparation.design(log)
    place = pd.Index(NAMES).get_indexer(log["option"])
    outcome = (log["reward"].to_numpy() + COSTS[place]) / bandit.preparation.usual

    def ridge(rows: np.ndarray, weight: float, prior: np.ndarray) -> np.ndarray:
        """Least squares with one made-up row for each coefficient, weighted by the prior."""
        made_up = np.sqrt(weight) * np.eye(design.shape[1])
        return np.linalg.lstsq(
            np.vstack([design[rows], made_up]), np.r_[outcome[rows], np.sqrt(weight) * prior], rcond=None
        )[0]

    nothing = ridge(place == 0, bandit.ridge_nothing, np.zeros(design.shape[1]))
    assert bandit.posterior.mean[0] == pytest.approx(nothing, abs=1e-10)
    for option in (1, 2, 3):
        of_others = ridge((place != 0) & (place != option), bandit.ridge, nothing)
        expected = ridge(place == option, bandit.ridge, of_others)
        assert bandit.posterior.mean[option] == pytest.approx(expected, abs=1e-10)
    residual = outcome - (design * bandit.posterior.mean[place]).sum(axis=1)
    known = (residual**2).sum() + 2  # two made-up decisions of spread 1
    assert bandit.posterior.noise_variance == pytest.approx(known / (len(log) + 2))


def test_order_and_parts_of_the_decisions_do_not_matter(log: pd.DataFrame) -> None:
    start = begin(log, OPTIONS, FEATURES, prior_decisions=100)
    whole = update(start, log)
    shuffled = log.sample(frac=1, random_state=5)
    parts = [shuffled.iloc[:10], shuffled.iloc[10:2_000], shuffled.iloc[2_000:]]
    for order in (parts, parts[::-1]):
        built = start
        for part in order:
            built = update(built, part)
        assert built.sums.counts.tolist() == whole.sums.counts.tolist()
        assert built.sums.products == pytest.approx(whole.sums.products, rel=1e-12, abs=1e-9)
        assert built.posterior.mean == pytest.approx(whole.posterior.mean, abs=1e-12)
    assert (start.sums.counts == 0).all(), "the bandit that was updated stays as it was"


def test_planted_effects_are_found(bandit: Bandit, people: pd.DataFrame) -> None:
    known = people["days"].notna()
    truth = (effects(people) - COSTS)[known]
    found = expected_rewards(bandit, people)[known]
    best = found.argmax(axis=1)
    regret = truth.max(axis=1) - truth[np.arange(len(truth)), best]
    by_lot = (truth.max(axis=1) - truth.mean(axis=1)).mean()
    assert regret.mean() < 0.1 * by_lot
    assert np.abs(found.mean(axis=0) - truth.mean(axis=0)).max() < 0.5


def test_learning_beats_drawing_by_lot_and_every_single_option(people: pd.DataFrame) -> None:
    truth = effects(people) - COSTS
    learnt, part = begin(people, OPTIONS, FEATURES, prior_decisions=100), np.arange(6_000) % 6
    for number in range(5):
        frame = people[part == number]
        learnt = update(learnt, decisions(frame, probabilities(learnt, frame), seed=number))
    last = part == 5
    value = (probabilities(learnt, people[last]) * truth[last]).sum(axis=1).mean()
    assert value > truth[last].mean(axis=0).max() + 1
    assert value > truth[last].mean() + 2


def test_posteriors_cover_the_truth() -> None:
    """With a weak prior, 95 % intervals of the expected rewards hold the truth about as often as they say."""
    people = entities(400).fillna(0)
    point = people.iloc[[7]]
    options = options_from([{"name": "mail", "cost": 1.0}])
    start = begin(people, options, ("is_member",), prior_decisions=1e-3)
    level = np.where(people["is_member"] == 1, 30.0, 10.0)
    hits = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        place = rng.integers(0, 2, 400)
        reward = level + place * (5 - 1.0) + rng.normal(0, 20, 400)
        names = np.array(["do_nothing", "mail"])[place]
        mean, spread = update(start, people.assign(option=names, propensity=0.5, reward=reward)).values(point)
        hits += abs(mean[0, 1] - (level[7] + 4)) < 1.96 * spread[0, 1]
    assert abs(hits - 285) < 3.5 * np.sqrt(300 * 0.95 * 0.05)


def test_a_new_option_is_believed_to_be_a_contact_like_the_others(bandit: Bandit, people: pd.DataFrame) -> None:
    now = [*bandit.options[:3], Option("letter", 1.5), bandit.options[3]]
    wider = bandit.with_options(now)
    assert wider.sums.counts.tolist() == [*bandit.sums.counts[:3], 0, bandit.sums.counts[3]]
    mean, spread = wider.values(people)
    assert np.median(spread[:, 3]) > 2 * np.median(spread[:, 1])
    gains = mean + [it.cost for it in now] - mean[:, [0]]
    between = np.sort(gains[:, [1, 2, 4]].mean(axis=0))
    assert between[0] < gains[:, 3].mean() < between[-1]
    back = wider.with_options(bandit.options)
    assert back.posterior.mean == pytest.approx(bandit.posterior.mean, abs=1e-12)


def test_costs_speak_against_an_option_from_the_first_day(people: pd.DataFrame) -> None:
    start = begin(people, options_from([{"name": "mail", "cost": 0.0}, {"name": "visit", "cost": 20.0}]), FEATURES)
    assert expected_rewards(start, people).max(axis=0).tolist() == [0, 0, -20]
    chances = probabilities(start, people).mean(axis=0)
    assert chances[2] < 0.1 < chances[1]
    dearer = start.with_options([*start.options[:2], Option("visit", 500.0)])
    assert probabilities(dearer, people)[:, 2].max() == pytest.approx(start.exploration)


def test_usual_rewards_measure_effects_and_noise() -> None:
    people = entities(4_000).assign(order_value=np.tile([10.0, 1_000.0], 2_000))
    chances = uniform(np.ones((4_000, 4), dtype=bool))
    log = decisions(people, chances)
    costs = COSTS[pd.Index(NAMES).get_indexer(log["option"])]
    log["reward"] = (log["reward"] + costs) * people["order_value"] / 10 - costs
    learnt = fit(log, OPTIONS, FEATURES, usual_column="order_value")
    mean, spread = learnt.values(people.iloc[[0, 1]].assign(orders=3.0, is_member=1.0, days=20.0))
    revenue = mean + COSTS
    assert revenue[1] == pytest.approx(100 * revenue[0])
    assert spread[1] == pytest.approx(100 * spread[0])
    nobody_knows = people.iloc[[0]].assign(order_value=np.nan)
    assert learnt.preparation.usual_rewards(nobody_knows) == np.median(people["order_value"])
    assert (learnt.preparation.usual_rewards(people.assign(order_value=-1.0)) > 0).all()
    huge = np.array([1e6])
    assert learnt.preparation.outcomes(people.iloc[[0]], huge) == 5


def test_missing_and_constant_features_change_nothing(log: pd.DataFrame, people: pd.DataFrame) -> None:
    with_constant = fit(log.assign(constant=3.0), OPTIONS, (*FEATURES, "constant"))
    assert expected_rewards(with_constant, people.assign(constant=3.0)) == pytest.approx(
        expected_rewards(fit(log, OPTIONS, FEATURES), people), abs=1e-9
    )
    for nothing in (np.nan, np.inf):
        row = people.iloc[[0]].assign(orders=nothing, is_member=nothing, days=nothing)
        found = fit(log, OPTIONS, FEATURES)
        expected = found.preparation.usual * found.posterior.mean[:, 0] - COSTS
        assert expected_rewards(found, row)[0] == pytest.approx(expected)


def test_saved_files_bring_the_same_choices_back(bandit: Bandit, people: pd.DataFrame, tmp_path: Path) -> None:
    bandit.save(tmp_path / "model")
    again = load(tmp_path / "model")
    pd.testing.assert_frame_equal(choose(again, people, as_of=DAY), choose(bandit, people, as_of=DAY))
    more = decisions(people, uniform(EVERYTHING), seed=9)
    assert (update(again, more).posterior.mean == update(bandit, more).posterior.mean).all()
    content = json.loads((tmp_path / "model" / MODEL_FILE).read_text())
    (tmp_path / "model" / MODEL_FILE).write_text(json.dumps(content | {"format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        load(tmp_path / "model")


def test_wrong_decisions_are_refused(bandit: Bandit, log: pd.DataFrame) -> None:
    few = log.head(5)
    with pytest.raises(ActionInputError, match="there is no option fax; there are do_nothing, mail, call, bonus"):
        update(bandit, few.assign(option="fax"))
    with pytest.raises(ActionInputError, match="lack column reward"):
        update(bandit, few.drop(columns="reward"))
    with pytest.raises(ActionInputError, match="lack column days, which the policy reads"):
        update(bandit, few.drop(columns="days"))
    with pytest.raises(ActionInputError, match="column days is not numeric"):
        update(bandit, few.assign(days="many"))
    with pytest.raises(ValueError, match="reward of decision 0 is nan"):
        update(bandit, few.assign(reward=np.nan))
    with pytest.raises(ValueError, match="propensity of decision 0 is 0"):
        update(bandit, few.assign(propensity=0.0))
    with pytest.raises(ValueError, match="cost of decision 0 is nan"):
        update(bandit, few.assign(cost=np.nan))
    with pytest.raises(ActionInputError, match="no entity to learn the scale"):
        begin(log.head(0), OPTIONS, FEATURES)


def test_wrong_settings_are_refused(log: pd.DataFrame) -> None:
    with pytest.raises(ActionInputError, match="first option must be do_nothing"):
        begin(log, OPTIONS[1:], FEATURES)
    for exploration in (0.0, 0.3):
        with pytest.raises(ActionInputError, match="exploration of"):
            begin(log, OPTIONS, FEATURES, exploration=exploration)
    with pytest.raises(ActionInputError, match="weights must be above 0"):
        begin(log, OPTIONS, FEATURES, prior_decisions=0.0)


def test_what_a_contact_had_cost_counts_not_what_it_costs_now(bandit: Bandit, log: pd.DataFrame) -> None:
    paid = COSTS[pd.Index(NAMES).get_indexer(log["option"])]
    now = [*OPTIONS[:2], Option("call", 40.0), OPTIONS[3]]
    dearer = begin(log, now, FEATURES, prior_decisions=100)
    learnt = update(dearer, log.assign(cost=paid))
    assert learnt.posterior.mean == pytest.approx(bandit.posterior.mean, abs=1e-12)
