"""A rule as a model: the best threshold, honest shares on both sides, the same after a round trip through its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.core.threshold import ThresholdModel, fit_best

DAYS = np.repeat([10.0, 40.0, 70.0], 100)
LOST = np.concatenate([np.arange(100) < 10, np.arange(100) < 20, np.arange(100) < 80]).astype(float)


def test_the_threshold_that_separates_best_wins() -> None:
    rule = fit_best("recency_days", DAYS, LOST, [90, 45, 22, 11])
    assert rule.threshold == 45
    found = rule.probability(rule.matrix(pd.DataFrame({"recency_days": [10.0, 40.0, 70.0, np.nan]})))
    np.testing.assert_allclose(found, [0.15, 0.15, 0.8, 0.15], atol=0.01)


def test_contributions_sum_to_the_log_odds() -> None:
    rule = fit_best("recency_days", DAYS, LOST, [45])
    values, base = rule.contributions(rule.matrix(pd.DataFrame({"recency_days": DAYS})))
    probability = 1 / (1 + np.exp(-(base + values.sum(axis=1))))
    np.testing.assert_allclose(probability[[0, -1]], [0.15, 0.8], atol=0.01)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_outcome_only_is_never_certain(label: float) -> None:
    rule = fit_best("recency_days", DAYS, np.full(len(DAYS), label), [45, 365])
    found = rule.probability(rule.matrix(pd.DataFrame({"recency_days": [1.0, 100.0]})))
    assert ((found > 0) & (found < 1)).all()
    assert np.abs(found - label).max() < 0.01


def test_its_file_gives_the_same_rule(tmp_path: Path) -> None:
    rule = fit_best("recency_days", DAYS, LOST, [45]).with_facts({"horizon_days": 90})
    rule.save(tmp_path / "rule")
    assert ThresholdModel.load(tmp_path / "rule") == rule


def test_a_missing_column_and_missing_rows_are_named() -> None:
    rule = fit_best("recency_days", DAYS, LOST, [45])
    with pytest.raises(ValueError, match="recency_days"):
        rule.matrix(pd.DataFrame({"other": [1.0]}))
    with pytest.raises(ValueError, match="rows"):
        fit_best("recency_days", DAYS[:0], LOST[:0], [45])
