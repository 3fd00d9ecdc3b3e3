"""How the purchase model behaves: better than its baseline, calibrated, and believable in its directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.core.propensity.training import Trained
from models_ml.purchase_propensity import config, evaluate, predict
from models_ml.purchase_propensity.train import train
from tests.simulated_customers import training_and_holdout


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    return training_and_holdout()


@pytest.fixture(scope="module")
def trained(rows: tuple[pd.DataFrame, pd.DataFrame]) -> Trained:
    return train(rows[0], horizon_days=30)


@pytest.fixture(scope="module")
def holdout(rows: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    return rows[1]


def test_beats_the_baseline_on_later_weeks(trained: Trained, holdout: pd.DataFrame) -> None:
    model, baseline = evaluate.evaluate(trained.model, holdout), evaluate.evaluate(trained.baseline, holdout)
    assert model["brier"] < baseline["brier"]
    assert model["auc"] > baseline["auc"]
    assert evaluate.grade(model, baseline) in {"A", "B"}
    assert evaluate.grade(baseline, baseline) == "B"


def test_probabilities_are_calibrated(trained: Trained, holdout: pd.DataFrame) -> None:
    found = evaluate.evaluate(trained.model, holdout)
    assert found["expected_calibration_error"] < 0.03
    assert 0.8 < found["calibration_slope"] < 1.25
    assert abs(found["mean_probability"] - found["base_rate"]) < 0.03


def test_calibration_survives_another_company(trained: Trained) -> None:
    """Same behaviour, other customers: nothing was learnt by heart."""
    _, others = training_and_holdout(seed=2)
    assert evaluate.evaluate(trained.model, others)["expected_calibration_error"] < 0.04


def test_the_same_rows_give_the_same_model(trained: Trained, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    again = train(rows[0], horizon_days=30)
    np.testing.assert_array_equal(predict.predict(again.model, rows[1]), predict.predict(trained.model, rows[1]))
    assert again.parameters == trained.parameters


@pytest.mark.parametrize("feature", sorted(config.DIRECTIONS))
def test_all_else_equal_directions_hold(trained: Trained, holdout: pd.DataFrame, feature: str) -> None:
    more = holdout.assign(**{feature: 2 * holdout[feature] + 1})
    change = predict.predict(trained.model, more) - predict.predict(trained.model, holdout)
    assert (config.DIRECTIONS[feature] * change >= -1e-9).all()


def test_where_a_customer_lives_makes_no_difference(trained: Trained, holdout: pd.DataFrame) -> None:
    elsewhere = holdout.assign(country="Chile", region="South", kind="organisation", industry="mining")
    np.testing.assert_array_equal(predict.predict(trained.model, elsewhere), predict.predict(trained.model, holdout))


def test_a_regular_is_likelier_than_one_who_has_left(trained: Trained, holdout: pd.DataFrame) -> None:
    typical = (
        holdout[config.FEATURES if isinstance(config.FEATURES, list) else list(config.FEATURES)].median().to_frame().T
    )
    regular = typical.assign(
        recency_days=5.0, purchases_30d=3.0, purchases_90d=8.0, purchases_total=40.0, mean_gap_days=12.0
    )
    regular = regular.assign(overdue_ratio=0.4, active_months_365d=12.0)
    gone = typical.assign(
        recency_days=600.0, purchases_30d=0.0, purchases_90d=0.0, purchases_180d=0.0, purchases_365d=0.0
    )
    gone = gone.assign(purchases_total=1.0, mean_gap_days=np.nan, overdue_ratio=np.nan, active_months_365d=0.0)
    likely, unlikely = predict.predict(trained.model, pd.concat([regular, gone]))
    assert likely > 0.4
    assert unlikely < 0.05


def test_contributions_sum_to_the_logit(trained: Trained, holdout: pd.DataFrame) -> None:
    for model in (trained.model, trained.baseline):
        values, base = predict.contributions(model, holdout)
        probability = predict.predict(model, holdout)
        np.testing.assert_allclose(base + values.sum(axis=1), np.log(probability / (1 - probability)), atol=1e-5)


def test_reasons_sum_to_the_logit_and_name_no_one(trained: Trained, holdout: pd.DataFrame) -> None:
    values, base = predict.contributions(trained.model, holdout)
    found = predict.reasons(trained.model, holdout, values, base, currency="EUR")
    probability = predict.predict(trained.model, holdout)
    sums = found.groupby("entity_id", sort=False)["contribution"].sum()
    np.testing.assert_allclose(sums.to_numpy(), np.log(probability / (1 - probability)), atol=1e-5)
    assert sums.index.tolist() == holdout["customer_id"].tolist()
    assert not found.duplicated(["entity_id", "rank"]).any()
    listed = found[~found["feature"].isin(["other", "base"])]
    assert listed.groupby(["entity_id", "direction"]).size().max() <= 5
    assert (np.sign(listed["contribution"]) == np.where(listed["direction"] == "+", 1, -1)).all()
    assert found["statement"].notna().all()
    assert not found["statement"].str.contains("{", regex=False).any()


def test_loading_from_files_changes_nothing(trained: Trained, holdout: pd.DataFrame, tmp_path: Path) -> None:
    trained.model.save(tmp_path)
    loaded = predict.load(tmp_path)
    np.testing.assert_array_equal(predict.predict(loaded, holdout), predict.predict(trained.model, holdout))


def test_loading_and_scoring_need_neither_xgboost_nor_sklearn(trained: Trained, tmp_path: Path) -> None:
    import subprocess
    import sys

    trained.model.save(tmp_path)
    program = (
        "import sys; from models_ml.purchase_propensity import predict; "
        f"model = predict.load({str(tmp_path)!r}); import pandas as pd; "
        "predict.predict(model, pd.DataFrame({name: [1.0] for name in model.features})); "
        "print(sorted({'xgboost', 'sklearn', 'scipy', 'mlflow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_company_without_web_mail_or_tickets_can_train(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    few = rows[0][["customer_id", "as_of", "has_purchased", "has_purchased_next", *config.BASELINE.columns]]
    fitted = train(few, horizon_days=30)
    assert set(fitted.model.features) == set(config.BASELINE.columns)
    assert evaluate.evaluate(fitted.model, rows[1])["auc"] > 0.7
