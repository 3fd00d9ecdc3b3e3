"""How the churn model behaves: better than the best rule of silence, calibrated, and believable in its directions."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.churn import config, evaluate, predict
from models_ml.churn.train import train
from models_ml.churn.window import propose
from models_ml.core.propensity.training import Trained
from models_ml.core.threshold import ThresholdModel
from tests.simulated_customers import training_and_holdout

WINDOW = 90


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    return training_and_holdout(as_of=date(2024, 9, 30), horizon_days=WINDOW, spacing=WINDOW)


@pytest.fixture(scope="module")
def trained(rows: tuple[pd.DataFrame, pd.DataFrame]) -> Trained:
    return train(rows[0], horizon_days=WINDOW)


def test_beats_the_best_rule_of_silence_on_later_months(
    trained: Trained, rows: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    model, baseline = evaluate.evaluate(trained.model, rows[1]), evaluate.evaluate(trained.baseline, rows[1])
    assert isinstance(trained.baseline, ThresholdModel)
    assert trained.baseline.threshold in {90, 45, 22, 11, 5, 2, 1}
    assert evaluate.grade(model, baseline) == "A"
    assert model["auc"] > baseline["auc"]
    assert 0.8 < model["calibration_slope"] < 1.25


def test_only_active_customers_are_learnt_from_and_judged(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    active = rows[0]["is_active"]
    assert 0 < active.sum() < len(rows[0])
    again = train(rows[0][active], horizon_days=WINDOW)
    np.testing.assert_array_equal(
        predict.predict(again.model, rows[1]), predict.predict(train(rows[0], horizon_days=WINDOW).model, rows[1])
    )
    assert evaluate.evaluate(again.model, rows[1])["n"] == rows[1]["is_active"].sum()


@pytest.mark.parametrize("feature", sorted(config.DIRECTIONS))
def test_all_else_equal_directions_hold(
    trained: Trained, rows: tuple[pd.DataFrame, pd.DataFrame], feature: str
) -> None:
    holdout = rows[1]
    change = predict.predict(trained.model, holdout.assign(**{feature: 2 * holdout[feature] + 1})) - predict.predict(
        trained.model, holdout
    )
    assert (config.DIRECTIONS[feature] * change >= -1e-9).all()


def test_shuffled_labels_give_no_better_than_the_rule(rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    training, holdout = rows
    shuffled = training.assign(has_lapsed_next=training["has_lapsed_next"].sample(frac=1, random_state=3).to_numpy())
    fitted = train(shuffled, horizon_days=WINDOW)
    honest = train(training, horizon_days=WINDOW).baseline
    model, baseline = evaluate.evaluate(fitted.model, holdout), evaluate.evaluate(honest, holdout)
    assert evaluate.grade(model, baseline) == "C"


def test_reasons_add_up_and_speak_of_losing(trained: Trained, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    some = rows[1][rows[1]["is_active"]].head(50)
    for model in (trained.model, trained.baseline):
        values, base = predict.contributions(model, some)
        reasons = predict.reasons(model, some, values, base, currency="EUR")
        total = reasons.groupby("entity_id", sort=False)["contribution"].sum().to_numpy()
        odds = np.log(predict.predict(model, some)) - np.log1p(-predict.predict(model, some))
        np.testing.assert_allclose(total, odds, atol=1e-5)
        assert reasons["statement"].str.contains("speaks for losing the customer").any()


def test_a_saved_model_scores_the_same(
    trained: Trained, rows: tuple[pd.DataFrame, pd.DataFrame], tmp_path: Path
) -> None:
    for name in ("model", "baseline"):
        fitted = getattr(trained, name)
        fitted.save(tmp_path / name)
        again = predict.load(tmp_path / name)
        assert again.facts["horizon_days"] == WINDOW
        np.testing.assert_array_equal(predict.predict(again, rows[1]), predict.predict(fitted, rows[1]))


@pytest.mark.parametrize("rung", list(config.LADDER))
def test_thin_data_climb_down_the_ladder(rows: tuple[pd.DataFrame, pd.DataFrame], rung: str) -> None:
    found = train(rows[0].head(300), horizon_days=WINDOW, rung=rung)
    assert found.parameters["rung"] == rung
    assert evaluate.evaluate(found.model, rows[1])["auc"] > 0.5


@pytest.mark.parametrize(
    ("gap", "window"), [(None, 365), (3.0, 30), (30.0, 30), (31.0, 60), (200.0, 270), (5000.0, 365)]
)
def test_the_window_follows_the_usual_gap(gap: float | None, window: int) -> None:
    assert propose(gap) == window
