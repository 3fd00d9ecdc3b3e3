"""Gamma-Gamma finds what made the amounts, leaves out what says nothing, and reports what it assumes."""

from __future__ import annotations

import numpy as np
import pytest

from models_ml.lifetime_value.gamma_gamma import GammaGamma, conditional_mean_value, fit_gamma_gamma
from models_ml.lifetime_value.simulate import simulate_values

TRUTH = (6.25, 3.74, 15.44)


def sample(seed: int, customers: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frequency = np.random.default_rng(seed).poisson(2.0, customers).astype(float)
    return frequency, *simulate_values(*TRUTH, frequency, seed)


def test_estimates_lie_where_their_standard_errors_say() -> None:
    models = [fit_gamma_gamma(*sample(seed)[:2]) for seed in range(20)]
    logs = np.log([[model.p, model.q, model.gamma] for model in models])
    scores = (logs - np.log(TRUTH)) / np.sqrt([np.diag(model.covariance) for model in models])
    assert (np.abs(scores.mean(axis=0)) < 4 / np.sqrt(20)).all()
    assert ((scores.std(axis=0) > 0.6) & (scores.std(axis=0) < 1.5)).all()


def test_conditional_mean_is_the_true_mean_of_such_customers() -> None:
    frequency, observed, true = sample(1, 40_000)
    expected = conditional_mean_value(fit_gamma_gamma(frequency, observed), frequency, observed)
    for group in (frequency == 0, frequency == 1, frequency >= 3, observed > np.nanmedian(observed)):
        error = 4.5 * true[group].std() / np.sqrt(group.sum())
        assert abs(expected[group].mean() - true[group].mean()) < error
    seen = frequency > 0
    assert np.sqrt(np.mean((expected - true)[seen] ** 2)) < np.sqrt(np.mean((observed - true)[seen] ** 2))


def test_customers_without_a_value_of_their_own_are_left_out_and_get_the_mean() -> None:
    frequency, observed, _ = sample(2)
    clean = fit_gamma_gamma(frequency, observed)
    assert clean.excluded == (frequency == 0).sum()
    with_returns = fit_gamma_gamma(np.r_[frequency, 3, 2, 5], np.r_[observed, -12.0, 0.0, np.nan])
    assert with_returns.excluded == clean.excluded + 3
    assert with_returns.p == pytest.approx(clean.p)
    found = conditional_mean_value(clean, [0, 3, 2, 5], [np.nan, -12.0, 0.0, np.nan])
    np.testing.assert_allclose(found, clean.mean)


def test_a_correlation_of_frequency_and_value_is_reported() -> None:
    frequency, observed, _ = sample(3)
    assert abs(fit_gamma_gamma(frequency, observed).correlation) < 0.06
    assert fit_gamma_gamma(frequency, observed * (1 + frequency)).correlation > 0.4


def test_the_currency_only_moves_gamma() -> None:
    frequency, observed, _ = sample(4)
    euros, cents = fit_gamma_gamma(frequency, observed), fit_gamma_gamma(frequency, observed * 100)
    assert cents.gamma == pytest.approx(100 * euros.gamma, rel=1e-6)
    assert (cents.p, cents.q) == pytest.approx((euros.p, euros.q), rel=1e-6)
    assert cents.log_likelihood == pytest.approx(euros.log_likelihood - euros.customers * np.log(100))


def test_all_alike_is_said_and_still_predicts() -> None:
    model = fit_gamma_gamma(np.full(30, 2.0), np.full(30, 25.0))
    assert not model.is_inside
    np.testing.assert_allclose(conditional_mean_value(model, [0, 2], [np.nan, 25.0]), 25.0, rtol=1e-3)


def test_too_few_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="2 of 4 customers have a repeat purchase of some value"):
        fit_gamma_gamma([1, 2, 0, 1], [10.0, 12.0, np.nan, -3.0])
    with pytest.raises(ValueError, match="one length"):
        fit_gamma_gamma([1, 2], [10.0])


def test_a_model_survives_plain_json() -> None:
    model = fit_gamma_gamma(*sample(5)[:2])
    assert GammaGamma.from_dict(model.to_dict()).to_dict() == model.to_dict()
