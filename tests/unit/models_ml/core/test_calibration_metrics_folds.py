"""Calibration, metrics and time folds, on cases that can be worked out by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from models_ml.core import calibration, metrics
from models_ml.core.folds import entity_part, validation_folds


def draw(margin: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).uniform(size=len(margin)) < 1 / (1 + np.exp(-margin))).astype(float)


def test_slope_is_found_whatever_the_level_of_each_season() -> None:
    truth = np.random.default_rng(1).normal(size=60_000)
    group = np.repeat([0, 1, 2], 20_000)
    label = draw(truth + np.array([-1.0, 0.0, 1.0])[group])
    slope, loss = calibration.fit_slope(2 * truth, label, group)
    assert slope == pytest.approx(0.5, abs=0.02)
    worse, _ = calibration.fit_slope(truth, label, np.zeros(len(group), dtype=int))
    assert abs(worse - 1) > 0.05
    assert 0.4 < loss < 0.7


def test_slope_stays_in_range_when_the_margin_says_nothing() -> None:
    margin, label = np.zeros(100), np.tile([0.0, 1.0], 50)
    slope, loss = calibration.fit_slope(margin, label, np.zeros(100, dtype=int))
    assert slope == calibration.SLOPE_RANGE[0] or slope == pytest.approx(1.0)
    assert loss == pytest.approx(np.log(2), abs=1e-6)


@pytest.mark.parametrize("rate", [0.001, 0.3, 0.99])
def test_level_reaches_the_rate(rate: float) -> None:
    margin = np.random.default_rng(2).normal(size=5000)
    shifted = margin + calibration.fit_level(margin, rate)
    assert (1 / (1 + np.exp(-shifted))).mean() == pytest.approx(rate, abs=1e-6)


def test_area_under_curve_equals_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(3)
    label, score = (random.uniform(size=500) < 0.3).astype(float), np.round(random.uniform(size=500), 1)
    assert metrics.area_under_curve(score, label) == pytest.approx(roc_auc_score(label, score))
    assert metrics.area_under_curve(score, np.zeros(500)) is None


def test_perfectly_calibrated_probabilities_have_slope_one() -> None:
    margin = np.random.default_rng(4).normal(size=50_000)
    found = metrics.probability_metrics(1 / (1 + np.exp(-margin)), draw(margin, 5))
    assert found["calibration_slope"] == pytest.approx(1, abs=0.05)
    assert found["calibration_intercept"] == pytest.approx(0, abs=0.05)
    assert found["expected_calibration_error"] < 0.01


def test_calibration_error_and_lift_by_hand() -> None:
    probability = np.r_[np.full(90, 0.1), np.full(10, 0.8)]
    label = np.r_[np.zeros(90), np.ones(10)]
    # 90 rows say 0.1 and are 0, 10 rows say 0.8 and are 1
    assert metrics.expected_calibration_error(probability, label) == pytest.approx(0.9 * 0.1 + 0.1 * 0.2)
    assert metrics.lift(probability, label) == pytest.approx(10)
    assert metrics.probability_metrics(probability, label)["brier"] == pytest.approx(0.9 * 0.01 + 0.1 * 0.04)


def test_one_class_only_leaves_out_what_needs_two() -> None:
    found = metrics.probability_metrics(np.full(10, 0.2), np.zeros(10))
    assert found["auc"] is None
    assert found["calibration_slope"] is None
    assert found["lift_top_10_percent"] is None
    assert found["brier"] == pytest.approx(0.04)


@pytest.mark.parametrize(("error", "expected"), [(0.19, "A"), (0.1899, "A"), (0.1901, "B"), (0.2, "B"), (0.2001, "C")])
def test_grade_against_a_baseline_error_of_a_fifth(error: float, expected: str) -> None:
    assert metrics.grade(error, 0.2) == expected


def test_slices_are_judged_from_min_rows_on() -> None:
    table = pd.DataFrame({"country": ["A"] * 60 + ["B"] * 30 + [None] * 10, "kind": ["person"] * 100})
    label = np.tile([0.0, 1.0], 50)
    found = metrics.slice_metrics(table, label * 0.5, label, ("country", "kind", "region"), min_rows=10)
    assert sorted(found) == ["country=A", "country=B", "country=unknown"]
    assert found["country=A"]["n"] == 60
    assert found["country=A"]["auc"] == 1.0
    assert sorted(metrics.slice_metrics(table, label, label, ("country",), min_rows=30)) == ["country=A", "country=B"]


def test_folds_train_only_on_windows_that_were_closed() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 31), date(2024, 3, 1), date(2024, 3, 31)]
    as_of = pd.Series(np.repeat(days, 2))
    customer = pd.Series(["a", "b"] * 4)
    folds = validation_folds(as_of, customer, horizon_days=60, count=3)
    seen = [(sorted(set(as_of[fit])), set(as_of[held])) for fit, held in folds]
    assert seen == [([days[0], days[1]], {days[3]}), ([days[0]], {days[2]})]


def test_one_cutoff_holds_out_customers_instead() -> None:
    customer = pd.Series([f"c{number}" for number in range(300)])
    as_of = pd.Series([date(2024, 1, 1)] * 300)
    folds = validation_folds(as_of, customer, horizon_days=30, count=2)
    assert all(not (fit & held).any() for fit, held in folds)
    assert sum(held.sum() for _, held in folds) == 300
    assert min(held.sum() for _, held in folds) > 60


def test_an_entity_is_always_in_the_same_part() -> None:
    customer = pd.Series(["x", "y", "x", "z"])
    part = entity_part(customer, 10)
    assert part[0] == part[2]
    np.testing.assert_array_equal(part, entity_part(customer.astype("category"), 10))
