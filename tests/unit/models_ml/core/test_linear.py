"""The regression on logs: unbounded it is the textbook's, bounded it never turns a direction round."""

from __future__ import annotations

import numpy as np
import pytest

from models_ml.core.linear import LogLinear, fit, signed_log


def sample(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(4)
    values = random.lognormal(2, 1, size=(rows, 3))
    margin = 0.8 * np.log1p(values[:, 0]) - 0.5 * np.log1p(values[:, 1]) - 1
    return values, (random.uniform(size=rows) < 1 / (1 + np.exp(-margin))).astype(float)


def test_equals_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values, label = sample()
    logs = StandardScaler().fit_transform(np.log1p(values))
    theirs = LogisticRegression(C=1.0, max_iter=1000, tol=1e-8).fit(logs, label)
    ours = fit(values, label, ["a", "b", "c"])
    np.testing.assert_allclose(ours.coefficients, theirs.coef_[0], atol=1e-3)
    np.testing.assert_allclose(ours.margin(values), theirs.decision_function(logs), atol=1e-3)


def test_directions_hold() -> None:
    values, label = sample()
    free = fit(values, label, ["a", "b", "c"])
    held = fit(values, label, ["a", "b", "c"], directions=[1, 1, -1])
    assert free.coefficients[1] < 0
    assert held.coefficients[1] == 0
    assert held.coefficients[0] > 0
    assert held.coefficients[2] <= 0


def test_a_missing_value_contributes_nothing() -> None:
    values, label = sample()
    values[::5, 0] = np.nan
    model = fit(values, label, ["a", "b", "c"])
    parts = model.contributions(values)
    assert not parts[::5, 0].any()
    np.testing.assert_allclose(parts.sum(axis=1) + model.intercept, model.margin(values), atol=1e-12)


def test_constant_and_empty_columns_do_not_break() -> None:
    values, label = sample(500)
    values[:, 1], values[:, 2] = 7.0, np.nan
    model = fit(values, label, ["a", "b", "c"])
    assert np.isfinite(model.margin(values)).all()
    assert model.coefficients[2] == pytest.approx(0)


def test_round_trip_through_plain_numbers() -> None:
    values, label = sample(300)
    model = fit(values, label, ["a", "b", "c"])
    again = LogLinear.from_dict(model.to_dict())
    np.testing.assert_array_equal(again.margin(values), model.margin(values))


def test_signed_log_keeps_the_sign() -> None:
    np.testing.assert_allclose(signed_log(np.array([-1.0, 0.0, 1.0])), [-np.log(2), 0, np.log(2)])
