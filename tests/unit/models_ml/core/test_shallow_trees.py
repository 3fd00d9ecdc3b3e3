"""Tables of shallow trees give what XGBoost gives: the same margins and the same exact contributions."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb

from models_ml.core import trees
from models_ml.core.shallow_trees import ShallowTrees, shapley_weights


def sample(rows: int = 2000, columns: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, columns)).astype(np.float32)
    label = (random.uniform(size=rows) < 1 / (1 + np.exp(-matrix[:, 0] * matrix[:, 1] - matrix[:, 2]))).astype(float)
    matrix[random.uniform(size=matrix.shape) < 0.2] = np.nan
    return matrix, label


@pytest.fixture(scope="module")
def fitted() -> tuple[xgb.Booster, np.ndarray]:
    matrix, label = sample()
    return trees.fit(matrix, label, {"learning_rate": 0.1, "subsample": 0.7}, seed=3, threads=1), matrix


def test_margins_equal_those_of_xgboost(fitted: tuple[xgb.Booster, np.ndarray]) -> None:
    booster, matrix = fitted
    ours = trees.to_tables(booster).margin(matrix.T)
    np.testing.assert_allclose(ours, trees.margin(booster, matrix), atol=1e-5)
    assert ours.std() > 0.5


def test_contributions_equal_those_of_xgboost(fitted: tuple[xgb.Booster, np.ndarray]) -> None:
    booster, matrix = fitted
    tables = trees.to_tables(booster)
    theirs = booster.predict(xgb.DMatrix(matrix), pred_contribs=True)
    np.testing.assert_allclose(tables.contributions(matrix.T).T, theirs[:, :-1], atol=1e-5)
    assert tables.base == pytest.approx(theirs[0, -1], abs=1e-5)


def test_contributions_and_base_sum_to_the_margin(fitted: tuple[xgb.Booster, np.ndarray]) -> None:
    booster, matrix = fitted
    tables = trees.to_tables(booster)
    sums = tables.base + tables.contributions(matrix.T).sum(axis=0)
    np.testing.assert_allclose(sums, tables.margin(matrix.T), atol=1e-10)


def test_values_on_the_threshold_go_the_way_of_xgboost() -> None:
    matrix = np.repeat(np.arange(8, dtype=np.float32), 50)[:, None]
    label = (matrix[:, 0] >= 4).astype(float)
    booster = trees.fit(matrix, label, {"learning_rate": 1.0}, seed=0, threads=1)
    thresholds = np.unique(np.concatenate([tree.thresholds for tree in trees.to_tables(booster).trees]))
    at_threshold = thresholds.astype(np.float32)[:, None]
    ours = trees.to_tables(booster).margin(at_threshold.T)
    # XGBoost adds 200 leaves of this size in float32; the other side of the threshold would be ten away
    np.testing.assert_allclose(ours, trees.margin(booster, at_threshold), atol=1e-3)


def test_a_tree_without_splits_is_its_leaf() -> None:
    matrix, label = np.zeros((100, 2), dtype=np.float32), np.tile([0.0, 0.0, 0.0, 1.0], 25)
    booster = trees.fit(matrix, label, {}, seed=0, threads=1)
    tables = trees.to_tables(booster)
    np.testing.assert_allclose(tables.margin(matrix.T), trees.margin(booster, matrix), atol=1e-5)
    assert not tables.contributions(matrix.T).any()


def test_a_deep_tree_is_refused() -> None:
    matrix, label = sample()
    booster = trees.fit(matrix, label, {"max_depth": 6}, seed=0, threads=1)
    with pytest.raises(ValueError, match="too large for a table"):
        ShallowTrees.from_native(bytes(booster.save_raw("json")))


def test_shapley_weights_share_a_game_of_two() -> None:
    # worth of {}, {first}, {second}, {both}
    shares = shapley_weights(2) @ np.array([0.0, 10.0, 20.0, 50.0])
    np.testing.assert_allclose(shares, [20.0, 30.0])
