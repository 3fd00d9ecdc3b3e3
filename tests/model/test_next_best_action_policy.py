"""Options, the control arm, whole choices, and whether a new policy replaces the old one."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models_ml.next_best_action.bandit import Bandit
from models_ml.next_best_action.compare import compare, reward_means
from models_ml.next_best_action.errors import ActionInputError
from models_ml.next_best_action.policy import NOTHING, allowed_matrix, control_arm, fixed, options_from, uniform
from models_ml.next_best_action.predict import choose, probabilities
from models_ml.next_best_action.train import begin, fit
from tests.next_best_action_world import FEATURES, NAMES, OPTIONS, decisions, effects, entities

DAY = date(2026, 6, 30)


def _ids(count: int, prefix: str = "C") -> pd.Series:
    return pd.Series([f"{prefix}{number}" for number in range(count)])


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return entities(4_000)


@pytest.fixture(scope="module")
def bandit(people: pd.DataFrame) -> Bandit:
    return fit(decisions(people, uniform(np.ones((4_000, 4), dtype=bool))), OPTIONS, FEATURES)


def test_doing_nothing_is_always_an_option() -> None:
    assert options_from([])[0] == NOTHING
    found = options_from([{"name": "call", "cost": 4, "channel": "phone", "purpose": "marketing", "max_share": 0.1}])
    assert [it.name for it in found] == ["do_nothing", "call"]
    assert (found[1].cost, found[1].channel, found[1].purpose, found[1].max_share) == (4.0, "phone", "marketing", 0.1)
    assert options_from([{"name": "call", "cost": 4}, {"name": "do_nothing", "cost": 0}])[0] == NOTHING


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"name": "mail_discount"}], "option mail_discount has no cost"),
        ([{"name": "mail_discount", "cost": None}], "option mail_discount has no cost"),
        ([{"name": "call", "cost": -1}], "option call costs -1"),
        ([{"name": "call", "cost": "4 EUR"}], "option call costs 4 EUR"),
        ([{"name": "call", "cost": float("nan")}], "option call costs nan"),
        ([{"name": "call", "cost": True}], "option call costs True"),
        ([{"cost": 1}], "an option has no name"),
        ([{"name": "call", "cost": 1, "share": 0.1}], "option call has the unknown setting share"),
        ([{"name": "call", "cost": 1, "max_share": 0}], "option call has max_share 0"),
        ([{"name": "call", "cost": 1, "max_share": 1.2}], "option call has max_share 1.2"),
        ([{"name": "call", "cost": 1}, {"name": "call", "cost": 2}], "option call is there twice"),
        ([{"name": "do_nothing", "cost": 3}], "do_nothing costs 0"),
    ],
)
def test_wrong_options_are_named(content: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ActionInputError, match=message):
        options_from(content)


def test_a_policy_that_asks_for_an_unknown_option_is_refused() -> None:
    with pytest.raises(ActionInputError, match="there is no option fax; there are do_nothing, mail, call, bonus"):
        fixed(OPTIONS, "fax", np.ones((3, 4), dtype=bool))
    with pytest.raises(ActionInputError, match="there is no option fax"):
        allowed_matrix(OPTIONS, pd.DataFrame({"fax": [True]}), 1)


def test_simple_policies() -> None:
    allowed = np.array([[True, True, False, True], [True, False, False, False]])
    assert fixed(OPTIONS, "mail", allowed).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert uniform(allowed)[0] == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    assert uniform(allowed)[1].tolist() == [1, 0, 0, 0]


def test_what_nobody_knows_to_be_allowed_is_not() -> None:
    frame = pd.DataFrame({"mail": [True, None, False], "call": [1, 0, 1], "bonus": [True, True, True]})
    expected = [[True, True, True, True], [True, False, False, True], [True, False, True, True]]
    assert allowed_matrix(OPTIONS, frame, 3).tolist() == expected
    nothing = frame.assign(do_nothing=False)
    assert allowed_matrix(OPTIONS, nothing, 3)[:, 0].all()
    with pytest.raises(ActionInputError, match="for whom option bonus is allowed"):
        allowed_matrix(OPTIONS, frame.drop(columns="bonus"), 3)
    with pytest.raises(ActionInputError, match="4 entities, but 3 rows"):
        allowed_matrix(OPTIONS, frame, 4)


@pytest.mark.parametrize("count", [1, 7, 50, 999, 5_000])
def test_the_control_arm_never_has_less_than_a_tenth(count: int) -> None:
    for prefix in "ABCDEFGHIJ":
        assert control_arm(_ids(count, prefix)).mean() >= 0.1


def test_the_control_arm_is_stable() -> None:
    everybody = control_arm(_ids(20_000))
    assert everybody.mean() == pytest.approx(0.12, abs=0.01)
    order = np.random.default_rng(1).permutation(20_000)
    assert (control_arm(_ids(20_000).iloc[order]) == everybody[order]).all()
    fewer = control_arm(_ids(15_000))
    assert (fewer == everybody[:15_000]).all(), "newcomers change nobody's arm"
    other = control_arm(_ids(20_000), salt="another experiment")
    assert (everybody & other).mean() == pytest.approx(0.12**2, abs=0.005)
    assert not len(control_arm(_ids(0)))


@pytest.mark.parametrize("share", [0.0, 0.09, 1.0, float("nan")])
def test_a_control_arm_that_is_too_small_is_refused(share: float) -> None:
    with pytest.raises(ActionInputError, match=r"at least 0\.1"):
        control_arm(_ids(10), share)


def test_choices_are_whole_and_repeatable(bandit: Bandit, people: pd.DataFrame) -> None:
    allowed = pd.DataFrame(True, index=people.index, columns=NAMES[1:])
    allowed.loc[people["is_member"] == 1, "call"] = False
    found = choose(bandit, people, allowed, as_of=DAY)
    pd.testing.assert_frame_equal(found, choose(bandit, people, allowed, as_of=DAY))
    control = control_arm(people["entity_id"])
    assert ((found["arm"] == "control") == control).all()
    assert found.loc[control, "option"].eq("do_nothing").all()
    assert found.loc[control, "propensity"].eq(1).all()
    assert not found.loc[people["is_member"] == 1, "option"].eq("call").any()
    treated = found[~control]
    chances = probabilities(bandit, people[~control], allowed[~control])
    place = pd.Index(NAMES).get_indexer(treated["option"])
    assert (treated["propensity"] == chances[np.arange(len(chances)), place]).all()
    assert treated["propensity"].min() >= bandit.exploration * (1 - 1e-12)
    for number in range(4):
        expected, variance = chances[:, number].sum(), (chances[:, number] * (1 - chances[:, number])).sum()
        assert abs((place == number).sum() - expected) <= 4 * np.sqrt(variance) + 1e-9
    assert [column for column in found if column.startswith("expected_")] == [f"expected_{name}" for name in NAMES]
    assert choose(bandit, people, allowed, as_of=DAY, seed=3)["option"].ne(found["option"]).any()


def test_choices_of_some_entities_with_the_company_s_arm(bandit: Bandit, people: pd.DataFrame) -> None:
    control = control_arm(people["entity_id"])
    some = np.arange(100, 900)
    found = choose(bandit, people.iloc[some], as_of=DAY, is_control=control[some])
    assert ((found["arm"] == "control") == control[some]).all()
    assert (found["option"] == choose(bandit, people, as_of=DAY)["option"].iloc[some]).all()


def test_contacts_stay_within_their_share(bandit: Bandit, people: pd.DataFrame) -> None:
    found = choose(bandit, people, as_of=DAY, max_contact_share=0.2)
    treated = found[found["arm"] == "treatment"]
    drawn = treated["option"].ne("do_nothing").mean()
    assert abs(drawn - 0.2) < 4 * np.sqrt(0.2 * 0.8 / len(treated)) + 0.01


def test_an_entity_is_decided_on_once(bandit: Bandit, people: pd.DataFrame) -> None:
    with pytest.raises(ActionInputError, match="entity e0 is there twice"):
        choose(bandit, people.iloc[[0, 1, 0]], as_of=DAY)
    assert not len(choose(bandit, people.head(0), as_of=DAY))
    assert len(choose(bandit, people.head(1), as_of=DAY)) == 1


def test_a_better_policy_replaces_the_old_one(people: pd.DataFrame) -> None:
    even = uniform(np.ones((4_000, 4), dtype=bool))
    best = np.eye(4)[(effects(people) - [0, 0.5, 4, 1]).argmax(axis=1)]
    log = decisions(people, even, seed=5)
    found = compare(log, OPTIONS, best, even, FEATURES, unit="EUR")
    truth = ((best - even) * (effects(people) - [0, 0.5, 4, 1])).sum(axis=1).mean()
    assert found.replaces
    assert found.gain.low <= truth <= found.gain.high
    assert "replaces the old one: on 4,000 logged decisions it brings" in found.reason
    assert "EUR" in found.reason
    worse = compare(log, OPTIONS, even, best, FEATURES)
    assert not worse.replaces
    assert "so the new one is worse" in worse.reason


def test_no_difference_is_no_reason_to_change(people: pd.DataFrame) -> None:
    even = uniform(np.ones((4_000, 4), dtype=bool))
    log = decisions(people, even, seed=6, effective=False).assign(reward=lambda it: it["reward"].round(2))
    log["reward"] += log["option"].map({it.name: it.cost for it in OPTIONS})
    free = options_from([{"name": it.name, "cost": 0.0} for it in OPTIONS])
    found = compare(log, free, np.roll(even, 1) * [0, 2, 2, 0] + [0, 0, 0, 0], even, FEATURES)
    assert not found.replaces
    assert "which may be noise" in found.reason


def test_a_change_without_effect_seldom_passes(people: pd.DataFrame) -> None:
    """The rule is one-sided at 2.5 %: of 200 logs of options that do nothing, at most 5 + 3.5 standard deviations pass."""
    free = options_from([{"name": it.name, "cost": 0.0} for it in OPTIONS])
    frame = people.head(500)
    even = uniform(np.ones((500, 4), dtype=bool))
    new = np.tile([0.1, 0.1, 0.7, 0.1], (500, 1))
    passed = 0
    for seed in range(200):
        log = decisions(frame, even, seed=seed, effective=False)
        log["reward"] += log["option"].map({it.name: it.cost for it in OPTIONS})
        passed += compare(log, free, new, even, FEATURES, least_effective=50).replaces
    assert passed <= 5 + 3.5 * np.sqrt(200 * 0.025 * 0.975)


def test_a_policy_hardly_seen_in_the_log_does_not_replace(people: pd.DataFrame) -> None:
    rare = np.tile([0.97, 0.01, 0.01, 0.01], (4_000, 1))
    best = fixed(OPTIONS, "bonus", np.ones((4_000, 4), dtype=bool))
    found = compare(decisions(people, rare, seed=7), OPTIONS, best, rare, FEATURES)
    assert not found.replaces
    assert found.gain.effective_decisions < 60
    assert "it takes 200 to trust an interval" in found.reason


def test_the_control_arm_is_no_evidence_for_a_change(people: pd.DataFrame) -> None:
    control = control_arm(people["entity_id"])
    rare = np.tile([0.97, 0.01, 0.01, 0.01], (4_000, 1))
    rare[control] = [1, 0, 0, 0]
    best = np.eye(4)[np.where(control, 0, 3)]
    log = decisions(people, rare, seed=7)
    found = compare(log, OPTIONS, best, rare, FEATURES)
    treated = compare(log[~control], OPTIONS, best[~control], rare[~control], FEATURES)
    assert not found.replaces
    assert found.gain.effective_decisions == treated.gain.effective_decisions
    assert found.old.effective_decisions == len(people)


def test_reward_means_come_from_other_entities(people: pd.DataFrame) -> None:
    log = decisions(people, uniform(np.ones((4_000, 4), dtype=bool)), seed=8)
    before = reward_means(log, OPTIONS, FEATURES)
    changed = log.copy()
    changed.loc[0, "reward"] += 1e6
    assert (reward_means(changed, OPTIONS, FEATURES)[0] == before[0]).all()
    assert not (reward_means(changed, OPTIONS, FEATURES) == before).all()
    with pytest.raises(ActionInputError, match="too few entities"):
        reward_means(log.head(3).assign(entity_id="e1"), OPTIONS, FEATURES)


def test_an_unfitted_bandit_can_already_choose(people: pd.DataFrame) -> None:
    found = choose(begin(people, OPTIONS, FEATURES), people, as_of=DAY)
    assert found["option"].nunique() == 4
