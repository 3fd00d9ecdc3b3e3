"""Small properties of the purchase model: what it reads, what it says, what it survives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.core.customer_phrases import PHRASES
from models_ml.core.propensity.rows import population, usable_features
from models_ml.purchase_propensity import config, predict
from models_ml.purchase_propensity.train import train
from tests.simulated_customers import training_and_holdout


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return training_and_holdout(customers=600, cutoffs=3)[0]


def test_every_feature_has_a_sentence() -> None:
    assert set(PHRASES) == set(config.FEATURES)


def test_personal_data_and_slices_are_no_features() -> None:
    forbidden = {"name", "email", "phone", "customer_id", "birth_on", "postal_code", *config.SLICES}
    assert not forbidden & set(config.FEATURES)


def test_every_part_reads_only_features() -> None:
    assert set(config.BASELINE.columns) | set(config.LINEAR_FEATURES) | set(config.DIRECTIONS) <= set(config.FEATURES)


def test_constant_and_missing_columns_are_left_out(rows: pd.DataFrame) -> None:
    used = usable_features(rows.drop(columns="items_total"), config, frozenset({"revenue_30d"}))
    assert "tickets_open" not in used  # zero everywhere: this company has no tickets
    assert "days_since_interaction" not in used  # missing everywhere
    assert {"items_total", "revenue_30d"}.isdisjoint(used)
    assert {"recency_days", "mean_gap_days"} <= set(used)


def test_a_column_that_is_only_sometimes_known_is_used(rows: pd.DataFrame) -> None:
    half_known = rows.assign(feedback_score_mean=np.where(np.arange(len(rows)) % 2, 5.0, np.nan))
    assert "feedback_score_mean" in usable_features(half_known, config)


def test_nothing_to_learn_from_is_said(rows: pd.DataFrame) -> None:
    constant = rows.assign(**dict.fromkeys(config.FEATURES, 1.0))
    with pytest.raises(ValueError, match="one and the same value"):
        train(constant, horizon_days=30)


def test_leaks_are_not_read(rows: pd.DataFrame) -> None:
    trained = train(rows, horizon_days=30, excluded=frozenset({"recency_days", "purchases_30d"}))
    assert not {"recency_days", "purchases_30d"} & {*trained.model.features, *trained.baseline.features}


def test_row_order_does_not_matter(rows: pd.DataFrame) -> None:
    shuffled = rows.sample(frac=1, random_state=9)
    one, other = (train(table, horizon_days=30).model for table in (rows, shuffled))
    np.testing.assert_array_equal(predict.predict(one, rows), predict.predict(other, rows))


def test_customers_without_a_purchase_are_not_learnt_from(rows: pd.DataFrame) -> None:
    strangers = rows.head(200).assign(has_purchased=False, recency_days=np.nan, customer_id="stranger")
    with_strangers = pd.concat([rows, strangers], ignore_index=True)
    assert population(with_strangers, config).sum() == len(rows)
    one, other = (train(table, horizon_days=30).model for table in (rows, with_strangers))
    np.testing.assert_array_equal(predict.predict(one, rows), predict.predict(other, rows))


def test_a_single_cutoff_is_enough_to_train(rows: pd.DataFrame) -> None:
    newest = rows[rows["as_of"] == rows["as_of"].max()]
    trained = train(newest, horizon_days=30)
    assert 0 < predict.predict(trained.model, newest).mean() < 1
