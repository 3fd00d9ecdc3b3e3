"""From purchases to predictions: right on average, honest in their intervals, clear where there is nothing to know."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.lifetime_value import config
from models_ml.lifetime_value.buying import BuyingModel, fit_buying
from models_ml.lifetime_value.features import FEATURES, features
from models_ml.lifetime_value.gamma_gamma import fit_gamma_gamma
from models_ml.lifetime_value.history import days_of_purchase, summarise, what_followed
from models_ml.lifetime_value.lifetime import LifetimeValueModel, predict_months
from models_ml.lifetime_value.likelihood import Family
from models_ml.lifetime_value.purchases import fit_bgnbd
from models_ml.lifetime_value.simulate import simulate_purchases, simulate_values
from models_ml.lifetime_value.train import Chosen, choose
from models_ml.lifetime_value.two_part import TwoPart, fit_two_part, predict_two_part
from tests.lifetime_value_customers import last_day, purchases


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return purchases()


@pytest.fixture(scope="module")
def trained(log: pd.DataFrame) -> Chosen:
    return choose(log, last_day() - timedelta(weeks=13), 91)


@pytest.fixture(scope="module")
def customers(log: pd.DataFrame) -> pd.DataFrame:
    return summarise(days_of_purchase(log), last_day() - timedelta(weeks=13))


def text(model: BuyingModel) -> str:
    """The model as JSON: a standard error that is not a number equals itself there."""
    return json.dumps(model.to_dict())


def test_one_row_a_customer_and_horizon(trained: Chosen, customers: pd.DataFrame) -> None:
    found = predict_months(trained.model, customers)
    assert len(found) == 3 * len(customers)
    assert not found.duplicated(["customer_id", "months"]).any()
    assert found.notna().all().all()
    assert (found["purchases_low"] <= found["purchases_high"]).all()
    assert (found["value_low"] <= found["value_high"]).all()
    assert found["probability_alive"].between(0, 1).all()
    assert found["probability_alive"].between(found["alive_low"] - 1e-9, found["alive_high"] + 1e-9).all()
    assert (found["alive_high"] - found["alive_low"]).max() > 0.01
    assert abs(trained.model.facts["correlation_of_frequency_and_value"]) < 0.3
    by_months = found.pivot(index="customer_id", columns="months", values="expected_value")
    assert (by_months[3] < by_months[6]).all()
    assert (by_months[6] < by_months[12]).all()


def test_intervals_hold_what_they_promise() -> None:
    """On customers of a known model 90 % intervals of purchases and of value hold at least that, and not everything."""
    T = np.random.default_rng(0).integers(30, 60, 6000).astype(float)
    data = simulate_purchases(Family(), (0.8, 5.0, 0.8, 2.4), T, horizon=config.WEEKS_PER_MONTH * 6, seed=2)
    data["recency"] = np.where(data["frequency"] > 0, data["recency"].round().clip(lower=1), 0)
    data["mean_value"], true = simulate_values(6.0, 4.0, 40.0, data["frequency"].to_numpy(), 3)
    value = np.random.default_rng(4).gamma(np.maximum(6.0 * data["future"], 1e-9)) * true / 6.0
    value = np.where(data["future"] > 0, value, 0.0)
    data["customer_id"] = np.arange(len(data))
    buying = BuyingModel((fit_bgnbd(data["frequency"], data["recency"], data["T"]),), 1.0, ())
    spending = fit_gamma_gamma(data["frequency"], data["mean_value"])
    model = LifetimeValueModel(buying, spending, 10.0, 60.0)
    found = predict_months(model, data, months=[6], level=0.9)
    held = (data["future"] >= found["purchases_low"]) & (data["future"] <= found["purchases_high"])
    assert 0.9 <= held.mean() < 0.995
    held = (value >= found["value_low"] - 1e-9) & (value <= found["value_high"])
    assert 0.88 <= held.mean() < 0.98
    for predicted, actual in ((found["expected_purchases"], data["future"]), (found["expected_value"], value)):
        assert predicted.sum() == pytest.approx(np.sum(actual), rel=0.08)


def test_rows_after_as_of_change_nothing(trained: Chosen, log: pd.DataFrame) -> None:
    as_of = last_day() - timedelta(weeks=13)
    again = choose(log[log["ordered_on"] <= pd.Timestamp(as_of)], as_of, 91)
    assert text(again.model.buying) == text(trained.model.buying)
    assert again.comparison == trained.comparison
    days = days_of_purchase(log)
    earlier = days_of_purchase(log[log["ordered_on"] <= pd.Timestamp(as_of)])
    pd.testing.assert_frame_equal(features(days, as_of), features(earlier, as_of))


def test_the_comparison_lies_before_as_of_and_names_a_champion(trained: Chosen) -> None:
    found = trained.comparison
    assert found["until"] == (last_day() - timedelta(weeks=13)).isoformat()
    assert found["from"] == (last_day() - timedelta(weeks=26)).isoformat()
    assert {"models", "trees", "baseline"} <= set(found)
    assert trained.champion == found["champion"]
    assert found["models"]["rmse"] < found["baseline"]["rmse"]
    assert found["models"]["correlation"] > found["baseline"]["correlation"]


def test_the_level_is_learnt_where_the_models_miss_it() -> None:
    """Customers who all buy less from the middle of the history on: the factor goes below 1, and stays near 1 without it."""
    log = purchases(customers=800)
    middle = pd.Timestamp(last_day() - timedelta(weeks=39))
    thinned = log[(log["ordered_on"] < middle) | (pd.util.hash_array(log["amount"].to_numpy()) % 3 == 0)]
    plain, less = (fit_buying(days_of_purchase(rows), last_day()) for rows in (log, thinned))
    assert less.factor < plain.factor - 0.1
    assert len(less.origins) == len(config.ORIGINS)
    for row in less.origins:
        assert row["predicted"] > row["purchases"]
    assert text(BuyingModel.from_dict(less.to_dict())) == text(less)


def test_models_survive_plain_files(trained: Chosen, customers: pd.DataFrame, tmp_path: Path) -> None:
    trained.model.save(tmp_path)
    pd.testing.assert_frame_equal(
        predict_months(LifetimeValueModel.load(tmp_path), customers), predict_months(trained.model, customers)
    )
    assert trained.trees is not None
    trained.trees.save(tmp_path)
    frame = pd.DataFrame(np.random.default_rng(0).uniform(0, 9, (20, len(FEATURES))), columns=list(FEATURES))
    again = predict_two_part(TwoPart.load(tmp_path), frame)
    pd.testing.assert_frame_equal(again, predict_two_part(trained.trees, frame))
    (tmp_path / "lifetime_value.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 99"):
        LifetimeValueModel.load(tmp_path)


def test_one_customer(trained: Chosen, customers: pd.DataFrame) -> None:
    alone = predict_months(trained.model, customers.iloc[[5]])
    together = predict_months(trained.model, customers)
    pd.testing.assert_frame_equal(
        alone, together[together["customer_id"] == customers["customer_id"].iloc[5]].reset_index(drop=True)
    )


def test_a_customer_won_today_and_one_with_returns(trained: Chosen) -> None:
    frame = pd.DataFrame(
        {
            "customer_id": ["new", "returns", "none"],
            "frequency": [0, 3, 3],
            "recency": [0.0, 20.0, 20.0],
            "T": [0.0, 30.0, 30.0],
            "mean_value": [np.nan, -15.0, np.nan],
        }
    )
    found = predict_months(trained.model, frame, months=[6]).set_index("customer_id")
    assert found.loc["new", "expected_purchases"] > 0
    assert not found["has_own_value"].any()
    assert found.loc["returns", "expected_value"] == found.loc["none", "expected_value"] > 0


def test_a_horizon_beyond_the_history_is_marked(trained: Chosen, customers: pd.DataFrame) -> None:
    found = (
        predict_months(trained.model, customers, months=[3, 120])
        .groupby("months")["is_extrapolated"]
        .agg(["all", "any"])
    )
    assert not found.loc[3, "any"]
    assert found.loc[120, "all"]


def test_a_comparison_longer_than_the_history_says_so(log: pd.DataFrame) -> None:
    found = choose(log, last_day(), 5000)
    assert "too little to compare on" in found.comparison["missing"]
    assert found.champion == "models"
    assert found.trees is None
    assert "no history to learn from" in found.comparison["trees_missing"]


def test_a_company_whose_customers_do_not_come_back_is_refused() -> None:
    once = pd.DataFrame({"customer_id": np.arange(6000), "ordered_on": pd.Timestamp("2024-01-01"), "amount": 10.0})
    again = once.head(48).assign(ordered_on=pd.Timestamp("2024-03-01"))  # 0.8 %
    with pytest.raises(ValueError, match="48 of 6000 customers have bought more than once; at least 60"):
        choose(pd.concat([once, again]), date(2024, 6, 30), 90)
    with pytest.raises(ValueError, match="0 of 6000 customers have bought more than once"):
        choose(once, date(2024, 6, 30), 90)
    with pytest.raises(ValueError, match="1 customers have bought"):
        choose(once.head(1), date(2024, 6, 30), 90)


def test_customers_all_alike_get_one_prediction() -> None:
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(0, 300, 30), unit="D")
    log = pd.DataFrame([(customer, on, 20.0) for customer in range(80) for on in day])
    log.columns = ["customer_id", "ordered_on", "amount"]
    found = choose(log, date(2024, 12, 1), 90)
    frame = predict_months(found.model, summarise(days_of_purchase(log), date(2024, 12, 1)), months=[3])
    assert frame.drop(columns="customer_id").drop_duplicates().shape[0] == 1
    assert np.isfinite(frame["expected_value"]).all()
    assert found.trees is None


def test_returns_are_no_purchase_and_lower_the_one_before() -> None:
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "a", "b", None],
            "ordered_on": pd.to_datetime(
                ["2024-01-01", "2024-01-08", "2024-01-08", "2024-01-10", "2024-01-03", "2024-01-04"]
            ),
            "amount": [10.0, 20.0, 5.0, -8.0, -4.0, 99.0],
        }
    )
    found = summarise(days_of_purchase(log), date(2024, 1, 15))
    assert found["customer_id"].tolist() == ["a"]
    assert found[["frequency", "recency", "T", "mean_value"]].iloc[0].tolist() == [1, 1, 2, 17]
    followed = what_followed(days_of_purchase(log), pd.Series(["a", "b"]), date(2024, 1, 1), date(2024, 1, 31))
    assert followed["purchases"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        ({"T": None}, {}, "lack column T"),
        ({"recency": 1e6}, {}, "beyond T"),
        ({}, {"months": [0]}, "months above 0"),
        ({}, {"months": []}, "months above 0"),
        ({}, {"level": 1.0}, "between 0 and 1"),
        ({"customer_id": "same"}, {}, "more than once"),
    ],
)
def test_bad_input_is_refused(
    trained: Chosen, customers: pd.DataFrame, change: dict, options: dict, sentence: str
) -> None:
    frame = customers[customers["frequency"] > 0].head(3).assign(**change)
    frame = frame.drop(columns=[name for name, value in change.items() if value is None])
    with pytest.raises(ValueError, match=sentence):
        predict_months(trained.model, frame, **options)


def test_trees_without_buyers_or_columns_are_refused(trained: Chosen) -> None:
    frame = pd.DataFrame(np.zeros((200, len(FEATURES))), columns=list(FEATURES))
    with pytest.raises(ValueError, match="0 of 200 customers bought"):
        fit_two_part(frame, FEATURES, np.zeros(200), np.zeros(200))
    assert trained.trees is not None
    with pytest.raises(ValueError, match="lack column T"):
        predict_two_part(trained.trees, frame.drop(columns="T"))
