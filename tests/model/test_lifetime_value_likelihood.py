"""The likelihood is the model's, its maximum is the maximum, and the estimates are those that made the data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from scipy.special import gammaln, roots_genlaguerre, roots_jacobi

from models_ml.lifetime_value.likelihood import Family, Likelihood
from models_ml.lifetime_value.purchases import NAMES, PurchaseModel, fit_bgnbd, fit_mbgcnbdk
from models_ml.lifetime_value.triples import aggregate
from tests.lifetime_value_customers import CDNOW, cdnow_like

FAMILIES = [Family(), Family(1, True), Family(2, False), Family(3, True)]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize(("x", "t_x", "T"), [(0, 0.0, 5.0), (1, 2.0, 5.0), (3, 4.5, 6.0), (2, 3.0, 3.0)])
def test_equals_the_integral_over_rates_and_losses(family: Family, x: int, t_x: float, T: float) -> None:
    """What a customer with rate lambda and loss p does is written down here anew and integrated by quadrature."""
    r, alpha, a, b, k = 1.7, 2.5, 1.4, 2.2, family.k

    rates, rate_weights = roots_genlaguerre(80, r - 1)  # lambda ~ Gamma(r, alpha)
    nodes, loss_weights = roots_jacobi(60, b - 1, a - 1)  # p ~ Beta(a, b), on -1 to 1
    rate, p = rates[:, None] / alpha, (1 + nodes) / 2
    still = np.exp(-rate * (T - t_x)) * sum((rate * (T - t_x)) ** j / math.factorial(j) for j in range(k))
    chances = x + family.lost_at_once
    lost = p * (1 - p) ** (chances - 1) if chances else 0.0
    of_one = rate ** (k * x) * np.exp(-rate * t_x) * (lost + (1 - p) ** chances * still)
    weights = rate_weights[:, None] / rate_weights.sum() * loss_weights / loss_weights.sum()
    integral = float((of_one * weights).sum())
    likelihood = Likelihood(family, aggregate([x], [t_x], [T]))
    value, _ = likelihood.value_and_gradient(np.log([r, alpha, a, b]))
    assert value == pytest.approx(math.log(integral), abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_gradient_is_that_of_the_value(family: Family) -> None:
    data = cdnow_like(family)
    likelihood = Likelihood(family, aggregate(data["frequency"], data["recency"], data["T"]))
    point = np.log([0.4, 3.0, 0.6, 2.0])
    numeric = approx_fprime(point, lambda at: likelihood.value_and_gradient(at)[0], 1e-6)
    np.testing.assert_allclose(likelihood.value_and_gradient(point)[1], numeric, rtol=1e-3, atol=0.01)


def textbook(log_parameters: np.ndarray, x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> float:
    """BG/NBD as printed in Fader, Hardie and Lee (2005), customer by customer."""
    r, alpha, a, b = np.exp(log_parameters)
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    second = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    third = -(r + x) * np.log(alpha + T)
    fourth = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x), -np.inf)
    return float((first + second + np.logaddexp(third, fourth)).sum())


@pytest.mark.parametrize("seed", range(4))
def test_reaches_the_maximum_of_the_textbook_to_the_last_digit(seed: int) -> None:
    data = cdnow_like(seed=seed)
    vectors = [data[name].to_numpy() for name in ("frequency", "recency", "T")]
    model = fit_bgnbd(*vectors)
    assert model.log_likelihood == pytest.approx(textbook(np.log(model.parameters), *vectors), abs=1e-6)
    theirs = minimize(
        lambda at: -textbook(at, *vectors),
        np.log(CDNOW),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-9, "maxiter": 5000},
    )
    assert model.log_likelihood >= -theirs.fun - 1e-6
    np.testing.assert_allclose(model.parameters, np.exp(theirs.x), rtol=1e-4)
    assert model.gradient_norm < 1e-9
    assert model.is_inside


def test_estimates_lie_where_their_standard_errors_say() -> None:
    """Over 25 simulated CDNOWs the estimates scatter around the truth as widely as the Hessian claims."""
    models = [fit_bgnbd(d["frequency"], d["recency"], d["T"]) for d in map(lambda s: cdnow_like(seed=s), range(25))]
    logs = np.array([np.log(model.parameters) for model in models])
    claimed = np.array([np.sqrt(np.diag(model.covariance)) for model in models])
    scores = (logs - np.log(CDNOW)) / claimed
    assert (np.abs(scores.mean(axis=0)) < 4 / np.sqrt(25)).all()
    assert ((scores.std(axis=0) > 0.65) & (scores.std(axis=0) < 1.4)).all()
    for model in models[:3]:
        for name, value in zip(NAMES, model.parameters, strict=True):
            place = NAMES.index(name)
            assert model.standard_errors[name] == pytest.approx(value * np.sqrt(model.covariance[place, place]))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_true_k_has_the_highest_likelihood(k: int) -> None:
    """By the gaps, and by frequency and recency alone."""
    data = cdnow_like(Family(k, lost_at_once=True), customers=6_000)
    vectors = data["frequency"], data["recency"], data["T"]
    gaps = data["sum_log_gaps"].sum()
    fits = {
        told: [fit_mbgcnbdk(*vectors, k=guess, sum_log_gaps=gaps if told else None) for guess in (1, 2, 3, 4)]
        for told in (True, False)
    }
    likeliest = {told: int(np.argmax([model.log_likelihood for model in models])) + 1 for told, models in fits.items()}
    assert likeliest[True] == k
    assert abs(likeliest[False] - k) <= 1  # the triples tell it less surely
    np.testing.assert_allclose(fits[True][k - 1].parameters, fits[False][k - 1].parameters, rtol=1e-9)
    right = fits[True][k - 1]
    assert (np.abs(np.log(right.parameters / CDNOW)) < 4 * np.sqrt(np.diag(right.covariance))).all()


def test_weights_and_repeated_customers_are_the_same() -> None:
    data = cdnow_like()
    vectors = [np.round(data[name].to_numpy(), 0) for name in ("frequency", "recency", "T")]
    vectors[1] = np.where(vectors[0] > 0, np.maximum(vectors[1], 1), 0)
    once = fit_bgnbd(*vectors)
    thrice = fit_bgnbd(*(np.repeat(values, 3) for values in vectors))
    weighted = fit_bgnbd(*vectors, weight=np.full(len(vectors[0]), 3.0))
    assert once.unique_triples == thrice.unique_triples < len(vectors[0])
    np.testing.assert_allclose(thrice.parameters, once.parameters, rtol=1e-6)
    np.testing.assert_allclose(weighted.parameters, once.parameters, rtol=1e-6)
    assert thrice.log_likelihood == pytest.approx(3 * once.log_likelihood)
    assert weighted.standard_errors["r"] == pytest.approx(once.standard_errors["r"] / math.sqrt(3), rel=1e-4)


def test_the_unit_of_time_only_moves_alpha() -> None:
    data = cdnow_like()
    weeks = fit_bgnbd(data["frequency"], data["recency"], data["T"])
    days = fit_bgnbd(data["frequency"], data["recency"] * 7, data["T"] * 7)
    np.testing.assert_allclose(days.parameters, weeks.parameters * [1, 7, 1, 1], rtol=1e-6)
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood - data["frequency"].sum() * math.log(7))


def test_many_unique_triples_are_searched_on_a_sample_and_climbed_on_all() -> None:
    data = cdnow_like(customers=20_000)
    noisy = data["T"] + np.random.default_rng(1).uniform(0, 1e-3, len(data))
    model = fit_bgnbd(data["frequency"], data["recency"], noisy)
    assert model.unique_triples > 5_000
    assert model.gradient_norm < 1e-9
    assert (np.abs(np.log(model.parameters / CDNOW)) < 4 * np.sqrt(np.diag(model.covariance))).all()
    likelihood = Likelihood(Family(), aggregate(data["frequency"], data["recency"], noisy))
    assert model.log_likelihood == pytest.approx(likelihood.value_and_gradient(np.log(model.parameters))[0])
    assert model.log_likelihood > likelihood.value_and_gradient(np.log(CDNOW))[0]


def test_customers_all_alike_say_that_there_is_no_maximum() -> None:
    model = fit_bgnbd(np.full(200, 4), np.full(200, 20.0), np.full(200, 25.0))
    assert not model.is_inside
    assert any(math.isnan(error) for error in model.standard_errors.values())
    assert np.isfinite(model.log_likelihood)


def test_one_customer_is_fitted_and_says_so() -> None:
    model = fit_bgnbd([3], [20.0], [30.0])
    assert model.customers == 1
    assert not model.is_inside


def test_a_model_survives_plain_json() -> None:
    data = cdnow_like()
    model = fit_mbgcnbdk(data["frequency"], data["recency"], data["T"], k=2)
    again = PurchaseModel.from_dict(model.to_dict())
    assert again.to_dict() == model.to_dict()
    assert again.family == Family(2, lost_at_once=True)


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        (([], [], []), "there are no customers"),
        (([0, 0], [0, 0], [5, 6]), "no customer has bought more than once"),
        (([1, 2], [3.0], [5, 6]), "of one length"),
        (([1.5], [1], [3]), "whole number"),
        (([1], [4], [3]), "beyond T"),
        (([1], [0], [3]), "recency above 0"),
        (([0], [1], [3]), "must have recency 0"),
        (([-1], [1], [3]), "negative"),
        (([1], [np.nan], [3]), "finite"),
        (([0, 3], [0, 0], [0, 0]), "recency above 0"),
    ],
)
def test_contradictory_input_is_refused_with_a_sentence(vectors: tuple, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        fit_bgnbd(*vectors)


@pytest.mark.parametrize("weight", [[-1.0, 1.0], [0.0, 0.0], [np.nan, 1.0], [1.0]])
def test_bad_weights_are_refused(weight: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        fit_bgnbd([1, 0], [2, 0], [4, 4], weight)


def test_bad_k_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be"):
        fit_mbgcnbdk([1, 0], [2, 0], [4, 4], k=0)
