"""Arms by a hash: stable, of the right size, and independent of the day on which it is somebody's turn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from crm_agents.arms import BUSINESS_AS_USUAL, CONTROL, TREATMENT, ArmShares, arms
from crm_agents.errors import CrmAgentsError
from models_ml.next_best_action.choice import uniform
from models_ml.next_best_action.policy import control_arm


def ids(count: int, first: int = 0) -> pd.Series:
    return pd.Series([f"C{number}" for number in range(first, first + count)])


def test_shares_are_kept() -> None:
    found = pd.Series(arms(ids(50_000), ArmShares(0.12, 0.10))).value_counts(normalize=True)
    assert found[CONTROL] == pytest.approx(0.12, abs=0.005)
    assert found[BUSINESS_AS_USUAL] == pytest.approx(0.10, abs=0.005)
    assert found[TREATMENT] == pytest.approx(0.78, abs=0.007)


def test_newcomers_and_order_change_nobodys_arm() -> None:
    before, after = arms(ids(5_000)), arms(ids(20_000))
    assert (before == after[:5_000]).all()
    order = np.random.default_rng(1).permutation(5_000)
    assert (arms(ids(5_000).iloc[order]) == before[order]).all()


def test_the_control_arm_is_that_of_the_policy() -> None:
    assert ((arms(ids(3_000)) == CONTROL) == control_arm(ids(3_000))).all()


def test_the_turn_of_a_customer_says_nothing_of_the_arm() -> None:
    """Of 40 salts for the days no more than chance allows look related to the arms."""
    customers = ids(20_000)
    arm = arms(customers)
    values = [
        chi2_contingency(pd.crosstab(arm, (uniform(customers, f"turn {salt}") * 30).astype(int))).pvalue
        for salt in range(40)
    ]
    assert sum(value < 0.05 for value in values) <= 7  # more has a probability below 0.2 %
    assert min(values) > 1e-4


@pytest.mark.parametrize("count", [0, 1, 9, 60])
def test_a_small_company_leaves_a_tenth_alone(count: int) -> None:
    assert (arms(ids(count)) == CONTROL).sum() >= 0.1 * count


def test_earlier_arms_stay_and_only_others_fill_up_the_control_arm() -> None:
    earlier = pd.Series(arms(ids(30)), index=ids(30))
    shares = ArmShares(0.3, 0.3)  # other shares than then
    found = arms(ids(200), shares, earlier)
    assert (found[:30] == earlier.to_numpy()).all()
    everybody = pd.Series(TREATMENT, index=ids(90))
    found = arms(ids(100), ArmShares(0.1, 0.0), everybody)
    assert (found[:90] == TREATMENT).all()
    assert (found[90:] == CONTROL).all()


@pytest.mark.parametrize("shares", [(0.09, 0.0), (float("nan"), 0.0), (0.5, 0.5), (0.2, -0.1)])
def test_shares_that_cannot_be_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(CrmAgentsError, match="Give"):
        ArmShares(*shares)
