"""From a log of decisions to every comparison that it allows, and reasons for those that it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.lift import config
from models_ml.lift.compare import BEFORE, BEFORE_ARMS, Lift, lifts

OPTIONS = frozenset({"do_nothing", "mail", "call"})
COSTS = {"mail": 1.0, "call": 4.0, "do_nothing": 0.0}


def log(rows: int = 2_000, seed: int = 1) -> pd.DataFrame:
    """Return decisions in three arms; a mail brings 20, a call 0, what people do as usual 8."""
    random = np.random.default_rng(seed)
    arm = random.choice(["treatment", "control", "business_as_usual"], rows, p=[0.7, 0.2, 0.1])
    drawn = random.choice(["do_nothing", "mail", "call"], rows, p=[0.5, 0.3, 0.2])
    is_treated = arm == "treatment"
    chosen = np.where(is_treated, drawn, np.where(arm == "business_as_usual", "as_usual", "do_nothing"))
    buys = random.random(rows) < 0.3
    return pd.DataFrame(
        {
            "entity_id": [f"c{number}" for number in range(rows)],
            "arm": arm,
            "chosen": chosen,
            "propensity": np.where(
                is_treated, pd.Series(drawn).map({"do_nothing": 0.5, "mail": 0.3, "call": 0.2}), 1.0
            ),
            "allowed": pd.Series([OPTIONS] * rows, dtype=object),
            "outcome_value": buys * random.gamma(2.0, 30.0, rows)
            + np.select([chosen == "mail", chosen == "as_usual"], [20.0, 8.0], 0.0),
            "cost": pd.Series(chosen).map(COSTS),
            **dict.fromkeys([*BEFORE_ARMS, *BEFORE], 0.0),
        }
    )


def by_key(found: list[Lift]) -> dict[tuple[str, str, str], Lift]:
    return {(it.action, it.compared_with, it.measure): it for it in found}


def test_every_comparison_is_there_once() -> None:
    found = lifts(log())
    expected = {("all", "control"), ("all", "business_as_usual"), ("mail", "do_nothing"), ("call", "do_nothing")}
    measures = (config.REVENUE, config.PURCHASE_SHARE, config.REVENUE_LESS_COST)
    assert set(by_key(found)) == {(*pair, measure) for pair in expected for measure in measures}
    assert len(found) == 12


@pytest.mark.parametrize(
    ("key", "truth"),
    [
        (("mail", "do_nothing", "revenue"), 20.0),
        (("mail", "do_nothing", "revenue_less_cost"), 19.0),
        (("call", "do_nothing", "revenue"), 0.0),
        (("call", "do_nothing", "revenue_less_cost"), -4.0),
        (("all", "control", "revenue"), 6.0),
        (("all", "control", "revenue_less_cost"), 6.0 - 1.1),
        (("all", "business_as_usual", "revenue"), -2.0),
        (("mail", "do_nothing", "purchase_share"), 0.7),
    ],
)
def test_each_is_near_its_truth(key: tuple[str, str, str], truth: float) -> None:
    it = by_key(lifts(log(20_000, seed=3)))[key]
    assert it.effect.low - 0.5 * abs(it.effect.standard_error) < truth < it.effect.high + 0.5 * it.effect.standard_error
    assert it.total == pytest.approx(it.effect.value * it.effect.treated)


def test_who_may_not_get_an_option_is_not_compared_with_it() -> None:
    """Large customers cannot be mailed: against all who got nothing a mail would seem to cost money."""
    frame = log(6_000)
    is_large = np.arange(6_000) % 3 == 0
    frame["outcome_value"] += 500.0 * is_large
    frame["allowed"] = pd.Series([OPTIONS - {"mail"} if it else OPTIONS for it in is_large], dtype=object)
    cannot = is_large & (frame["chosen"] == "mail")
    frame.loc[cannot, ["chosen", "propensity"]] = ["do_nothing", 0.8]
    frame.loc[cannot, "outcome_value"] -= 20.0
    effect = by_key(lifts(frame))["mail", "do_nothing", "revenue"].effect
    assert effect.low < 20 < effect.high
    assert effect.high - effect.low < 10


def test_without_a_control_arm_or_with_few_in_it_there_is_a_reason() -> None:
    frame = log()
    alone = by_key(lifts(frame[frame["arm"] == "treatment"]))
    assert "Too few" in alone["all", "control", "revenue"].effect.reason
    assert alone["all", "control", "revenue"].total is None
    assert ("all", "business_as_usual", "revenue") not in alone
    assert alone["mail", "do_nothing", "revenue"].effect.reason is None


@pytest.mark.parametrize(("column", "value"), [("propensity", np.nan), ("allowed", None)])
def test_an_option_of_which_the_draw_was_not_logged_gets_a_reason(column: str, value: object) -> None:
    frame = log()
    frame.loc[frame.index[frame["chosen"] == "mail"][:1], column] = value
    found = by_key(lifts(frame))
    assert "not logged" in found["mail", "do_nothing", "revenue"].effect.reason
    assert found["call", "do_nothing", "revenue"].effect.reason is None
    assert found["all", "control", "revenue"].effect.reason is None


def test_costs_that_nobody_logged_are_not_taken_as_zero() -> None:
    frame = log()
    frame.loc[frame["arm"] == "business_as_usual", "cost"] = np.nan
    found = by_key(lifts(frame))
    assert "cost was not logged" in found["all", "business_as_usual", "revenue_less_cost"].effect.reason
    assert found["all", "control", "revenue_less_cost"].effect.reason is None
    frame["cost"] = np.nan
    assert not [it for it in lifts(frame) if it.measure == config.REVENUE_LESS_COST]


def test_lists_by_rule_stay_out_of_every_comparison() -> None:
    frame = log()
    listed = frame[frame["arm"] == "treatment"].head(200).assign(chosen="greeting", propensity=1.0, outcome_value=1e6)
    found, plain = by_key(lifts(pd.concat([frame, listed]))), by_key(lifts(frame))
    assert "by a rule" in found.pop(("greeting", "do_nothing", "revenue")).effect.reason
    assert found == plain


def test_an_empty_log_says_nothing_and_a_missing_column_is_named() -> None:
    assert lifts(log().head(0)) == []
    with pytest.raises(ValueError, match="lack column cost"):
        lifts(log().drop(columns="cost"))


def test_without_an_effect_intervals_seldom_exclude_zero() -> None:
    """200 draws of arms on the same outcomes: the binomial 99 % bounds of 5 % are 2 and 19."""
    frame = log(1_500)
    frame["outcome_value"] = np.random.default_rng(5).gamma(0.2, 200.0, 1_500)
    random, false = np.random.default_rng(6), 0
    for _ in range(200):
        frame["arm"] = random.choice(["treatment", "control"], 1_500, p=[0.88, 0.12])
        effect = by_key(lifts(frame.assign(chosen="do_nothing")))["all", "control", "revenue"].effect
        false += not effect.low <= 0 <= effect.high
    assert 2 <= false <= 19
