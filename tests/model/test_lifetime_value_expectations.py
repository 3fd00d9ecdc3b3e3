"""What the models expect is what simulated customers do, and the formulas hold where they usually break."""

from __future__ import annotations

import numpy as np
import pytest

from models_ml.lifetime_value.expectations import (
    Outlook,
    conditional_expected_purchases,
    delta_interval,
    expected_purchases,
    probability_alive,
    quantile_of,
)
from models_ml.lifetime_value.likelihood import Family
from models_ml.lifetime_value.purchases import PurchaseModel, fit_bgnbd
from models_ml.lifetime_value.simulate import simulate_purchases
from models_ml.lifetime_value.triples import aggregate
from tests.lifetime_value_customers import CDNOW, cdnow_like

FAMILIES = [Family(), Family(1, True), Family(2, False), Family(3, True)]


def known(family: Family, parameters: tuple[float, ...]) -> PurchaseModel:
    return PurchaseModel(family, *parameters, {}, np.eye(4) * 1e-4, 0.0, 1.0, 1, True, 0.0)


def test_published_example() -> None:
    """Fader, Hardie and Lee (2005): x = 2, t_x = 30.43, T = 38.86 buys 1.226 times in the next 39 weeks."""
    found = conditional_expected_purchases(known(Family(), CDNOW), 39, [2], [30.43], [38.86])
    assert found[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_simulated_customers_do_what_is_expected(family: Family) -> None:
    parameters = (0.8, 3.0, 0.8, 2.4)
    data = simulate_purchases(family, parameters, np.full(30_000, 52.0), horizon=26, seed=5)
    data["recency"] = (
        data["recency"].round(1).clip(upper=52).where(data["frequency"] == 0, data["recency"].round(1).clip(lower=0.1))
    )
    model = known(family, parameters)
    vectors = data["frequency"], data["recency"], data["T"]
    data["expected"] = conditional_expected_purchases(model, 26, *vectors)
    data["none"] = 1 - Outlook(model, aggregate(*vectors), 26.0).at_least(1)[aggregate(*vectors).inverse]
    for _, group in data.groupby(data["frequency"].clip(upper=6)):
        error = 4.5 * group["future"].std() / np.sqrt(len(group))
        assert abs(group["expected"].mean() - group["future"].mean()) < error
        assert abs(group["none"].mean() - (group["future"] == 0).mean()) < 4.5 * 0.5 / np.sqrt(len(group))
    new = expected_purchases(model, [52.0])[0]
    assert abs(new - data["frequency"].mean()) < 4.5 * data["frequency"].std() / np.sqrt(len(data))


@pytest.mark.parametrize("family", [Family(), Family(1, True)], ids=lambda family: family.name)
@pytest.mark.parametrize("parameters", [CDNOW, (5.0, 2.0, 0.1, 1.0), (0.1, 0.2, 3.0, 8.0), (0.5, 1.0, 1.0, 1.0)])
def test_closed_form_equals_the_sum_over_purchases(family: Family, parameters: tuple[float, ...]) -> None:
    """The sum has positive terms only; its long blocks are quadrature, hence the tolerance."""
    random = np.random.default_rng(0)
    x = random.integers(0, 400, 300).astype(float)
    T = random.uniform(10, 200, 300)
    t_x = np.where(x > 0, T * random.uniform(0.3, 1, 300), 0)
    for t in (0.5, 52.0):
        model = known(family, parameters)
        closed = conditional_expected_purchases(model, t, x, t_x, T)
        triples = aggregate(x, t_x, T)
        summed = Outlook(model, triples, t).moments()[0][triples.inverse]
        np.testing.assert_allclose(summed, closed, rtol=2e-3, atol=1e-6)


def test_nothing_breaks_at_a_equal_to_one() -> None:
    around = [
        conditional_expected_purchases(known(Family(), (0.5, 4.0, a, 2.0)), 52, [3], [20.0], [30.0])[0]
        for a in (1 - 2e-4, 1 - 1e-9, 1.0, 1 + 1e-9, 1 + 2e-4)
    ]
    assert np.ptp(around) < 1e-3
    assert (np.diff(around) <= 1e-9).all()


def test_limits_of_the_parameters_stay_finite() -> None:
    """When all customers are lost alike, a and b run to their limits with a fixed share a / (a + b)."""
    found = [
        conditional_expected_purchases(
            known(Family(), (0.8, 4.0, scale * 0.1, scale * 0.9)), 52, [0, 5], [0, 20.0], [30.0] * 2
        )
        for scale in (900.0, 1100.0, 150_000.0)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=5e-3)
    np.testing.assert_allclose(found[1], found[2], rtol=2e-2)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_bounds_and_directions(family: Family) -> None:
    model = known(family, CDNOW)
    x, t_x, T = [2.0] * 4, [1.0, 10.0, 20.0, 30.0], [30.0] * 4
    alive = probability_alive(model, x, t_x, T)
    assert (np.diff(alive) > 0).all()
    assert ((alive > 0) & (alive <= 1)).all()
    ahead = [conditional_expected_purchases(model, t, x, t_x, T) for t in (0, 1, 10, 100, 10_000)]
    assert not ahead[0].any()
    assert (np.diff(ahead, axis=0) > 0).all()
    assert np.isfinite(ahead).all()


def test_large_frequencies_overflow_nothing() -> None:
    found = conditional_expected_purchases(known(Family(), CDNOW), 52, [3000, 800], [199.95, 100.0], [200.0, 200.0])
    assert 650 < found[0] < 763  # 15 a week for 52 weeks, some of them lost on the way
    assert found[1] < 1e-3  # 800 purchases in 100 weeks, then none for 100: gone
    assert probability_alive(known(Family(), CDNOW), [800], [100.0], [200.0])[0] < 1e-12


def test_customers_won_today() -> None:
    model = known(Family(), CDNOW)
    assert probability_alive(model, [0], [0], [0])[0] == 1
    assert conditional_expected_purchases(model, 20, [0], [0], [0])[0] == pytest.approx(
        expected_purchases(model, 20)[0]
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_quantiles_are_those_of_the_distribution(family: Family) -> None:
    outlook = Outlook(known(family, CDNOW), aggregate([0, 2, 9, 40], [0, 20, 35, 38], [39, 39, 39, 39]), 39.0)
    counts = np.arange(1, 400)
    table = np.array([outlook.at_least(m) for m in counts])  # (399, 4)
    for probability in (0.05, 0.5, 0.95):
        by_hand = (table > 1 - probability).sum(axis=0)
        np.testing.assert_array_equal(quantile_of([outlook], probability), by_hand)


def test_delta_errors_are_those_of_refitted_simulations() -> None:
    """The standard error of an expectation is how far it moves when other customers of the same model are drawn."""
    fits = [fit_bgnbd(d["frequency"], d["recency"], d["T"]) for d in (cdnow_like(seed=s) for s in range(25))]

    def total(model: PurchaseModel) -> np.ndarray:
        return expected_purchases(model, [39.0, 78.0])

    scatter = np.std([total(model) for model in fits], axis=0)
    claimed = np.mean([delta_interval(model, total).standard_error for model in fits], axis=0)
    np.testing.assert_allclose(claimed, scatter, rtol=0.4)
    truth = total(known(Family(), CDNOW))
    inside = np.mean([(i.low < truth) & (truth < i.high) for i in (delta_interval(m, total) for m in fits)], axis=0)
    assert (inside >= 0.8).all()


def test_delta_interval_of_a_share_stays_a_share() -> None:
    model = known(Family(), CDNOW)
    found = delta_interval(model, lambda m: probability_alive(m, [0, 3, 50], [0, 5.0, 10.0], [30.0] * 3), is_share=True)
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


@pytest.mark.parametrize("t", [-1.0, np.inf, np.nan])
def test_impossible_horizons_are_refused(t: float) -> None:
    with pytest.raises(ValueError, match="the time to look ahead"):
        conditional_expected_purchases(known(Family(), CDNOW), t, [0], [0], [3])
