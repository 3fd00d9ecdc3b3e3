"""What training and the agent ask of the value model: fit, judge, keep, value and explain."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.lifetime_value import predict as serving
from models_ml.lifetime_value.contributions import shapley_of_product
from models_ml.lifetime_value.evaluate import charts, evaluate, grade, predictions
from models_ml.lifetime_value.features import FEATURES, features
from models_ml.lifetime_value.history import what_followed
from models_ml.lifetime_value.rule import baseline
from models_ml.lifetime_value.train import Trained, train
from models_ml.lifetime_value.two_part import fit_two_part
from models_ml.lifetime_value.valuer import Valuer, days_of
from tests.lifetime_value_customers import last_day, purchases

HORIZON = 91
CUTOFF = last_day() - timedelta(days=HORIZON)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return purchases(400).rename(columns={"ordered_on": "bought_on"})


@pytest.fixture(scope="module")
def trained(log: pd.DataFrame) -> Trained:
    return train(log, horizon_days=HORIZON, cutoff=CUTOFF)


@pytest.fixture(scope="module")
def valuers(trained: Trained, log: pd.DataFrame) -> dict[str, Valuer]:
    """The three that can serve."""
    days, before = days_of(log, CUTOFF), CUTOFF - timedelta(days=HORIZON)
    frame = features(days, before)
    label = what_followed(days, frame["customer_id"], before, CUTOFF)
    fitted = fit_two_part(frame, FEATURES, label["purchases"].to_numpy(), label["value"].to_numpy())
    trees = Valuer("trees", {}, trained.model.models, fitted, facts=trained.model.facts)
    means = trees.values(days, CUTOFF)[list(trees.factors)].mean().to_dict()
    models = replace(trained.model, kind="models", trees=None)
    return {"models": models, "trees": replace(trees, centre=means), "rule": trained.baseline}


def ask(valuer: Valuer, log: pd.DataFrame, day: date = CUTOFF) -> pd.DataFrame:
    return serving.predict(valuer, log.assign(as_of=pd.Timestamp(day)))


def test_judged_on_what_followed(trained: Trained, log: pd.DataFrame) -> None:
    found = evaluate(trained.model, log, cutoff=CUTOFF, min_slice_rows=50)
    later = log[log["bought_on"] > pd.Timestamp(CUTOFF)]
    known = log.loc[log["bought_on"] <= pd.Timestamp(CUTOFF), "customer_id"].unique()
    assert found["n"] == len(known)
    assert found["actual"] == pytest.approx(later.loc[later["customer_id"].isin(known), "amount"].sum())
    assert found["mean"] == pytest.approx(found["actual"] / found["n"])
    assert sum(group["customers"] for group in found["groups"]) == found["n"]
    assert set(found["slices"]) == {"size=small", "size=medium", "size=large"}
    squares = sum(part["n"] * part["rmse"] ** 2 for part in found["slices"].values())
    assert squares / found["n"] == pytest.approx(found["rmse"] ** 2)
    of_rule = evaluate(trained.baseline, log, cutoff=CUTOFF)
    assert found["rmse"] < of_rule["rmse"]
    assert grade(found, of_rule) in {"A", "B"}


def test_a_third_with_few_customers_is_no_slice(trained: Trained, log: pd.DataFrame) -> None:
    assert evaluate(trained.model, log, cutoff=CUTOFF, min_slice_rows=10_000)["slices"] == {}


def test_the_baseline_is_the_rule_of_thumb(trained: Trained, log: pd.DataFrame) -> None:
    predicted, _ = predictions(trained.baseline, log, CUTOFF)
    by_hand = baseline(days_of(log, CUTOFF), CUTOFF, HORIZON)
    assert predicted["customer_id"].tolist() == by_hand["customer_id"].tolist()
    np.testing.assert_allclose(predicted["expected_value"], by_hand["expected_value"])


def test_grades_need_somebody_who_brings_something() -> None:
    assert grade({"top_20_caught": None}, {"top_20_caught": None}) == "C"
    assert grade({"top_20_caught": 0.0}, {"top_20_caught": 0.0}) == "B"
    assert [grade({"top_20_caught": it}, {"top_20_caught": 0.6}) for it in (0.63, 0.6, 0.59)] == ["A", "B", "C"]


def test_nobody_known_at_the_cutoff_cannot_be_judged(trained: Trained, log: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="nobody had bought by 2020-01-01"):
        evaluate(trained.model, log, cutoff=date(2020, 1, 1))


def test_the_card_has_a_picture(trained: Trained, log: pd.DataFrame) -> None:
    drawn = charts(trained.model, trained.baseline, log, cutoff=CUTOFF)
    assert drawn["calibration.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["models", "trees", "rule"])
def test_each_kind_values_explains_and_survives_its_files(
    kind: str, valuers: dict[str, Valuer], log: pd.DataFrame, tmp_path: Path
) -> None:
    valuer = valuers[kind]
    found = ask(valuer, log)
    valuer.save(tmp_path)
    pd.testing.assert_frame_equal(found, ask(serving.load(tmp_path), log))
    assert (found["expected_value"] >= 0).all()
    for months, longer in ((3, 6), (6, 12)):
        assert (found[f"expected_value_{months}m"] <= found[f"expected_value_{longer}m"]).all()
    # the horizon of 91 days is three months but for a quarter of a day
    np.testing.assert_allclose(found["expected_value_3m"].sum(), found["expected_value"].sum(), rtol=0.01)
    contributions, base = serving.contributions(valuer, found)
    np.testing.assert_allclose(contributions.sum(axis=1) + base, found["expected_value"], rtol=1e-9, atol=1e-9)
    reasons = serving.reasons(valuer, found, contributions, base, currency="EUR")
    total = reasons.groupby("entity_id")["contribution"].sum().reindex(found["customer_id"])
    np.testing.assert_allclose(total, found["expected_value"], rtol=1e-9, atol=1e-9)
    assert set(reasons["feature"]) <= {*valuer.factors, "other", "base"}
    assert reasons["statement"].str.endswith(".").all()
    assert (reasons.loc[reasons["feature"] == "base", "statement"].str.contains("EUR")).all()


def test_bounds_are_known_to_models_and_unknown_to_the_rule(valuers: dict[str, Valuer], log: pd.DataFrame) -> None:
    for kind in ("models", "trees"):
        found = ask(valuers[kind], log)
        assert found["probability_alive"].between(0, 1).all()
        assert (found["expected_value_12m_lo80"] <= found["expected_value_12m_hi80"]).all()
    rule = ask(valuers["rule"], log)
    assert rule[["probability_alive", "expected_value_12m_lo80", "expected_value_12m_hi80"]].isna().all().all()


def test_trees_keep_their_own_level(valuers: dict[str, Valuer], log: pd.DataFrame) -> None:
    trees, models = ask(valuers["trees"], log), ask(valuers["models"], log)
    ratio = trees["expected_value"] / models["expected_value"]
    np.testing.assert_allclose(trees["expected_value_12m"], ratio * models["expected_value_12m"])
    assert ratio.std() > 0.01


def test_later_purchases_and_returns_change_nothing(trained: Trained, log: pd.DataFrame) -> None:
    known = log[log["bought_on"] <= pd.Timestamp(CUTOFF)]
    someone = known["customer_id"].iloc[0]
    day = pd.Timestamp(CUTOFF + timedelta(days=1))
    back = pd.DataFrame({"customer_id": [someone], "bought_on": [day], "amount": [-500.0]})
    later = pd.concat([log, back])
    pd.testing.assert_frame_equal(ask(trained.model, later), ask(trained.model, known))
    again = train(later, horizon_days=HORIZON, cutoff=CUTOFF)
    assert str(again.model.models) == str(trained.model.models)
    assert again.model.centre == trained.model.centre


def test_one_single_customer(valuers: dict[str, Valuer], log: pd.DataFrame) -> None:
    someone = log["customer_id"].iloc[0]
    for valuer in valuers.values():
        alone, among = ask(valuer, log[log["customer_id"] == someone]), ask(valuer, log)
        assert len(alone) == 1
        expected = among.loc[among["customer_id"] == someone, "expected_value"].item()
        assert alone["expected_value"].item() == pytest.approx(expected, rel=1e-6)


def test_returns_never_make_a_value_negative(valuers: dict[str, Valuer]) -> None:
    rows = [("a", 30.0, 400), ("a", -90.0, 300), ("b", -10.0, 200), ("c", 20.0, 100), ("c", 20.0, 50)]
    frame = pd.DataFrame([(who, amount, pd.Timestamp(CUTOFF - timedelta(days=ago))) for who, amount, ago in rows])
    frame.columns = ["customer_id", "amount", "bought_on"]
    for valuer in valuers.values():
        found = ask(valuer, frame)
        assert found["customer_id"].tolist() == ["a", "c"]  # b has only returned
        assert (found["expected_value"] >= 0).all()
        assert np.isfinite(found["expected_value"]).all()


def test_nobody_to_value_gives_no_rows(trained: Trained, log: pd.DataFrame) -> None:
    whole = ask(trained.model, log)
    for frame in (log.head(0), log.head(1).assign(amount=-1.0)):
        empty = ask(trained.model, frame)
        assert empty.empty
        assert list(empty.columns) == list(whole.columns)
    with pytest.raises(ValueError, match="lack column amount"):
        ask(trained.model, log.drop(columns="amount"))


def test_what_cannot_be_trained_says_why(log: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="needs every column"):
        train(log, horizon_days=HORIZON, cutoff=CUTOFF, excluded=frozenset({"amount"}))
    with pytest.raises(ValueError, match="have a repeat purchase of some value"):
        train(log.assign(amount=0.0), horizon_days=HORIZON, cutoff=CUTOFF)
    with pytest.raises(ValueError, match="have bought more than once"):
        train(log.drop_duplicates("customer_id"), horizon_days=HORIZON, cutoff=CUTOFF)


def test_a_horizon_longer_than_the_history_chooses_without_comparing(log: pd.DataFrame) -> None:
    found = train(log, horizon_days=700, cutoff=CUTOFF)
    assert "too little to compare on" in found.parameters["missing"]
    assert found.model.kind == "models"
    assert np.isfinite(ask(found.model, log)["expected_value"]).all()


def test_shapley_by_hand() -> None:
    found = shapley_of_product(np.array([[3.0, 5.0], [2.0, 4.0], [0.0, 0.0]]), np.array([2.0, 4.0]))
    np.testing.assert_allclose(found, [[4.5, 2.5], [0.0, 0.0], [-4.0, -4.0]])


@pytest.mark.parametrize("seed", range(5))
def test_shapley_adds_up_and_a_factor_like_everybodys_adds_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    factors, centre = random.normal(0, 3, (50, 3)), random.normal(1, 1, 3)
    factors[:, 1] = centre[1]
    found = shapley_of_product(factors, centre)
    np.testing.assert_allclose(found.sum(axis=1), factors.prod(axis=1) - centre.prod())
    assert (found[:, 1] == 0).all()


def test_the_example_fits_the_columns(valuers: dict[str, Valuer]) -> None:
    example = serving.example()
    assert set(valuers["models"].features) <= set(example)
    assert len(ask(valuers["models"], example, date(2026, 4, 1))) == 3
