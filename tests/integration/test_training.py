"""Training on a real lake, from the data check to the gate, with everything that it writes."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_agents import postgres, registry, training
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.marts import TrainingCutoffs, training_cutoffs
from crm_agents.settings import load_settings
from models_ml.purchase_propensity import config
from tests.conftest import real_data
from tests.simulated_customers import feature_rows, fill_lake, purchases

MODEL = "purchase_propensity"
TODAY = date(2024, 6, 30)
LATER = TODAY + timedelta(days=30)
COMPANY = Company(name="test", title="Test", prediction={"cutoffs": 3})


def cutoffs(as_of: date) -> TrainingCutoffs:
    return training_cutoffs(COMPANY, as_of, date(2022, 1, 1))


@cache
def rows(customers: int = 1500, as_of: date = TODAY) -> pd.DataFrame:
    days = cutoffs(as_of)
    bought = purchases(customers, as_of + timedelta(days=60))
    return feature_rows(bought[bought["bought_on"].dt.date <= as_of], [as_of, *days.all], 30)


def lake_with(table: pd.DataFrame, as_of: date = TODAY) -> None:
    fill_lake(table, horizon_days=30, last_label=cutoffs(as_of).test)


def train(run_id: str, as_of: date = TODAY, company: Company = COMPANY) -> training.TrainingResult:
    return training.train(MODEL, as_of=as_of, run_id=run_id, company=company)


def findings(run_id: str) -> pd.DataFrame:
    with postgres.connect() as crm:
        found = crm.execute(
            "select step, check_name, column_name, severity, detail from crm_ai.data_usability where run_id = %s",
            (run_id,),
        ).fetchall()
    return pd.DataFrame(found, columns=["step", "check_name", "column_name", "severity", "detail"])


def test_first_model_is_promoted_and_serves(installation: Path) -> None:
    lake_with(rows())
    result = train("r1")
    assert result.status == "promoted"
    assert result.is_news
    assert result.grade in {"A", "B"}
    assert result.metrics["brier"] <= result.baseline_metrics["brier"]
    assert result.metrics["n"] == (rows()["as_of"] == date(2024, 5, 31)).sum()
    champion = registry.champion(MODEL, TODAY)
    assert champion is not None
    assert (champion.version, champion.alias, champion.method) == (result.version, "champion", "champion")
    assert champion.training_snapshot == result.snapshot
    assert champion.metrics["brier"] == pytest.approx(result.metrics["brier"])
    card = (load_settings().mlflow_dir / str(champion.card_uri)).read_text()
    assert f"grade {result.grade}" in card
    assert f"{champion.metrics['auc']:.4f}" in card
    today = rows()[rows()["as_of"] == TODAY].rename(columns={"customer_id": "entity_id"})
    scores = registry.load(champion).predict(today)
    assert 0 < scores.min() < scores.max() < 1
    baseline = next(version for version in registry.versions(MODEL) if version.method == "baseline")
    assert baseline.promoted_at is None
    assert registry.load(baseline).predict(today).std() > 0
    assert set(findings("r1")["severity"]) <= {"info", "warning"}


def test_the_same_data_are_not_trained_on_twice_and_give_the_same_metrics(installation: Path) -> None:
    lake_with(rows())
    first, second = train("r1"), train("r2")
    assert (second.status, second.version, second.serving) == ("unchanged", first.version, first.serving)
    assert len(registry.versions(MODEL)) == 2
    with postgres.connect() as crm:
        crm.execute("delete from crm_ai.model_promotions")
        crm.execute("delete from crm_ai.models")
    third = train("r3")
    assert third.status == "promoted"
    assert third.metrics == first.metrics
    other = Company(name="test", title="Test", prediction={"cutoffs": 2})
    assert train("r4", company=other).status != "unchanged"


def test_a_broken_challenger_leaves_the_champion_in_charge(installation: Path) -> None:
    lake_with(rows())
    first = train("r1")
    broken = rows(as_of=LATER).copy()
    is_training = broken["as_of"] < cutoffs(LATER).test
    random = np.random.default_rng(0)
    broken.loc[is_training, "has_purchased_next"] = random.permutation(broken.loc[is_training, "has_purchased_next"])
    lake_with(broken, LATER)
    result = train("r2", LATER)
    assert result.status == "kept_champion"
    assert not result.is_news
    assert result.serving == first.version
    assert "stays champion" in result.reason
    found = {version.version: version.alias for version in registry.versions(MODEL)}
    assert found[str(result.version)] == "challenger"
    assert found[str(first.version)] == "champion"


def test_the_baseline_serves_when_the_model_is_not_good_enough(installation: Path) -> None:
    keep = [
        "customer_id",
        "as_of",
        "kind",
        "country",
        "has_purchased",
        "tenure_days",
        *config.BASELINE_FEATURES,
        "_batch",
    ]
    lake_with(rows()[[*keep, "has_purchased_next", "purchases_next", "revenue_next"]].assign(tenure_days=400.0))
    demanding = Company(name="test", title="Test", prediction={"cutoffs": 3}, promotion={"min_grade": "A"})
    result = train("r1", company=demanding)
    assert result.status == "serves_baseline"
    champion = registry.champion(MODEL)
    assert champion is not None
    assert (champion.method, champion.alias) == ("baseline", "champion")
    assert champion.version != result.version
    assert registry.load(champion).features == config.BASELINE_FEATURES


def test_a_planted_leak_is_dropped_and_reported(installation: Path) -> None:
    leaky = rows().copy()
    leaky["loyalty_points"] = np.where(leaky["has_purchased_next"], 50.0 + leaky["recency_days"] % 7, 0.0)
    lake_with(leaky)
    train("r1")
    found = findings("r1")
    leaks = found[(found["step"] == "leakage") & (found["severity"] == "warning")]
    assert leaks["column_name"].tolist() == ["loyalty_points"]
    assert leaks["detail"].str.contains("left out").all()
    champion = registry.champion(MODEL)
    assert champion is not None
    assert "loyalty_points" not in registry.load(champion).features


def test_too_little_data_are_not_scored_and_say_why(installation: Path) -> None:
    lake_with(rows(customers=200))
    result = train("r1")
    assert result.status == "not_scored"
    assert result.is_news
    assert "customers who have bought (needed: 500)" in result.reason
    assert registry.why_not_trained(MODEL) == result.reason
    assert registry.versions(MODEL) == []
    assert training.is_due(MODEL, TODAY, COMPANY)[0]
    assert "blocking" in set(findings("r1")["severity"])
    lake_with(rows())
    train("r2")
    assert registry.why_not_trained(MODEL) is None


def test_a_repeated_run_leaves_one_set_of_findings(installation: Path) -> None:
    lake_with(rows(customers=200))
    train("r1")
    before = findings("r1")
    train("r1")
    pd.testing.assert_frame_equal(findings("r1"), before)


def test_a_champion_without_files_does_not_stop_training(installation: Path) -> None:
    lake_with(rows())
    train("r1")
    champion = registry.champion(MODEL)
    assert champion is not None
    (load_settings().mlflow_dir / str(champion.artifact_uri) / "model.json").unlink()
    lake_with(rows(as_of=LATER), LATER)
    result = train("r2", LATER)
    assert result.status == "promoted"
    found = findings("r2")
    assert found[found["step"] == "champion"]["detail"].str.contains("cannot be judged").all()
    assert (found["step"] == "champion").sum() == 1


def test_when_a_model_is_due(installation: Path) -> None:
    assert training.is_due(MODEL, TODAY, COMPANY)[0]
    lake_with(rows())
    train("r1")
    week = timedelta(days=COMPANY.prediction.retrain_after_days)
    assert not training.is_due(MODEL, TODAY, COMPANY)[0]
    assert not training.is_due(MODEL, TODAY + week - timedelta(days=1), COMPANY)[0]
    assert training.is_due(MODEL, TODAY + week, COMPANY)[0]
    assert training.is_due(MODEL, TODAY - timedelta(days=1), COMPANY)[0]


def test_missing_features_are_said(installation: Path) -> None:
    with pytest.raises(CrmAgentsError, match=r"no features.ftr_customers"):
        train("r1")
    lake_with(rows())
    with pytest.raises(CrmAgentsError, match="no rows as of 2030-01-01"):
        train("r1", date(2030, 1, 1))
    with pytest.raises(CrmAgentsError, match="Models: purchase_propensity"):
        training.train("churn", as_of=TODAY, run_id="r1", company=COMPANY)


@pytest.mark.real_data
def test_online_retail_through_the_real_marts(installation: Path) -> None:
    """n, base rate and limits as in the published comparison: RFM logistic about 0.738 / 0.207 (AUC / Brier)."""
    from crm_agents import ingest, lake, marts
    from crm_agents.loading import load

    day = date(2011, 12, 9)
    load("online_retail", [real_data("online_retail")])
    ingest.run(run_id="i1")
    marts.build(as_of=day, run_id="b1")
    training.prepare(as_of=day, run_id="p1")
    result = training.train(MODEL, as_of=day, run_id="t1")
    assert result.metrics["n"] == 3741
    assert result.metrics["base_rate"] == pytest.approx(0.476, abs=5e-4)
    assert result.metrics["auc"] >= max(0.742, result.baseline_metrics["auc"])
    assert result.metrics["brier"] <= min(0.205, result.baseline_metrics["brier"])
    assert result.status == "promoted"
    champion = registry.champion(MODEL, day)
    assert champion is not None
    assert champion.version == result.serving
    with lake.connect() as connection:
        days = connection.execute("select distinct as_of from features.lbl_customers order by 1").fetchall()
        today = connection.execute(
            "select * rename (customer_id as entity_id) from features.ftr_customers where as_of = ? and has_purchased",
            [day],
        ).df()
    assert [str(cutoff) for (cutoff,) in days] == [
        *("2011-03-14", "2011-04-13", "2011-05-13", "2011-06-12", "2011-07-12", "2011-08-11", "2011-10-10")
    ]
    serving = registry.load(champion)
    scores, reasons = serving.predict(today), serving.reasons(today)
    sums = reasons.groupby("entity_id", sort=False)["contribution"].sum().to_numpy()
    np.testing.assert_allclose(sums, np.log(scores / (1 - scores)), atol=1e-5)
    assert reasons["statement"].str.contains("GBP").any()
