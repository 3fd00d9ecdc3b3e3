"""The blend that serves: additive in log-odds, the same after saving, and clear about what it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.core import linear, trees
from models_ml.core.blend import MARGIN_LIMIT, BlendModel, float_matrix

FEATURES = ("a", "b", "c")


def frame(rows: int = 3000) -> pd.DataFrame:
    random = np.random.default_rng(8)
    table = pd.DataFrame(random.lognormal(1, 1, size=(rows, 3)), columns=list(FEATURES))
    table.loc[::7, "b"] = np.nan
    table.loc[3, "c"] = np.inf
    return table


@pytest.fixture(scope="module")
def model() -> BlendModel:
    table = frame()
    matrix = float_matrix(table, FEATURES)
    label = (np.nan_to_num(matrix[:, 0]) + np.random.default_rng(1).normal(size=len(table)) > 3).astype(float)
    tables = trees.to_tables(trees.fit(matrix, label, {"learning_rate": 0.1}, seed=0, threads=1))
    part = linear.fit(matrix[:, [0, 2]], label, ("a", "c"))
    return BlendModel(FEATURES, tables, part, 0.6, slope=0.9, intercept=0.2, facts={"method": "test"})


def test_contributions_sum_to_the_logit(model: BlendModel) -> None:
    matrix = model.matrix(frame())
    values, base = model.contributions(matrix)
    probability = model.probability(matrix)
    np.testing.assert_allclose(base + values.sum(axis=1), np.log(probability / (1 - probability)), atol=1e-9)
    assert base == pytest.approx(model.base)


def test_one_row_scores_as_in_company(model: BlendModel) -> None:
    matrix = model.matrix(frame())
    alone = np.concatenate([model.probability(matrix[row : row + 1]) for row in range(20)])
    np.testing.assert_array_equal(alone, model.probability(matrix)[:20])


def test_many_chunks_score_as_one(model: BlendModel) -> None:
    matrix = model.matrix(pd.concat([frame()] * 12, ignore_index=True))
    np.testing.assert_array_equal(model.margin(matrix)[:3000], model.margin(matrix)[-3000:])


def test_saved_and_loaded_it_is_the_same(model: BlendModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    again = BlendModel.load(tmp_path)
    matrix = model.matrix(frame())
    np.testing.assert_array_equal(again.margin(matrix), model.margin(matrix))
    np.testing.assert_array_equal(again.contributions(matrix)[0], model.contributions(matrix)[0])
    assert again.facts == {"method": "test"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "trees.json"]


def test_xgboost_reads_the_saved_trees(model: BlendModel, tmp_path: Path) -> None:
    import xgboost as xgb

    model.save(tmp_path)
    booster = xgb.Booster(model_file=str(tmp_path / "trees.json"))
    matrix = model.matrix(frame())
    assert model.trees is not None
    np.testing.assert_allclose(trees.margin(booster, matrix), model.trees.margin(matrix.T), atol=1e-5)


def test_another_format_is_refused(model: BlendModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    content = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        BlendModel.load(tmp_path)


def test_a_missing_column_is_named(model: BlendModel) -> None:
    with pytest.raises(ValueError, match="lack column b, c"):
        model.matrix(frame()[["a"]])


def test_no_rows_give_no_scores(model: BlendModel) -> None:
    matrix = model.matrix(frame().iloc[:0])
    assert model.probability(matrix).shape == (0,)
    assert model.contributions(matrix)[0].shape == (0, 3)


def test_beyond_the_limit_parts_still_sum(model: BlendModel) -> None:
    steep = BlendModel(FEATURES, model.trees, model.linear, 0.6, slope=60.0)
    matrix = steep.matrix(frame())
    margin = steep.margin(matrix)
    values, base = steep.contributions(matrix)
    assert (np.abs(margin) == MARGIN_LIMIT).any()
    np.testing.assert_allclose(base + values.sum(axis=1), margin, atol=1e-9)
    probability = steep.probability(matrix)
    np.testing.assert_allclose(np.log(probability / (1 - probability)), margin, atol=1e-5)
