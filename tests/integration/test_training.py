"""Training on a real lake, from the data check to the gate, with everything that it writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_agents import lake, postgres, registry, training
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.marts import TrainingCutoffs, training_cutoffs
from crm_agents.model_catalog import find_model
from crm_agents.settings import load_settings
from models_ml.purchase_propensity import config
from tests.conftest import real_data
from tests.simulated_customers import LABELS, feature_rows, fill_lake, purchases

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
    fill_lake(table, horizon_days=30, label_days=cutoffs(as_of).all)


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
        *config.BASELINE.columns,
        "_batch",
    ]
    lake_with(rows()[[*keep, *LABELS.split(", "), "is_active"]].assign(tenure_days=400.0))
    demanding = Company(name="test", title="Test", prediction={"cutoffs": 3}, promotion={"min_grade": "A"})
    result = train("r1", company=demanding)
    assert result.status == "serves_baseline"
    champion = registry.champion(MODEL)
    assert champion is not None
    assert (champion.method, champion.alias) == ("baseline", "champion")
    assert champion.version != result.version
    assert registry.load(champion).features == config.BASELINE.columns


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


def test_identical_rows_across_the_split_are_reported_and_left_out(installation: Path) -> None:
    table, days = rows(), cutoffs(TODAY)
    of_training = table[table["as_of"] == days.train[0]].head(60)
    copies = of_training.assign(as_of=days.test, customer_id="copy-of-" + of_training["customer_id"])
    lake_with(pd.concat([table, copies], ignore_index=True))
    train("r1")
    found = findings("r1").set_index("check_name").loc["repeated_rows"]
    assert found["severity"] == "warning"
    assert "(60 rows): training did without them" in found["detail"]
    labelled = table[table["as_of"].isin(days.train)]
    with_sixty_less = findings("r1").set_index("check_name").loc["positives", "detail"]
    positives = labelled["has_purchased_next"].sum() - of_training["has_purchased_next"].sum()
    assert with_sixty_less.startswith(f"{positives:,} training rows")
    lake_with(table)
    train("r2")
    assert findings("r2").set_index("check_name").loc["repeated_rows", "severity"] == "info"


def test_what_is_known_only_at_the_outcome_never_enters(installation: Path) -> None:
    points = rows().assign(loyalty_points=rows()["recency_days"] % 11)
    lake_with(points)
    declared = Company(
        name="test", title="Test", prediction={"cutoffs": 3}, known_at={"customers.loyalty_points": "outcome"}
    )
    train("r1")
    first = registry.champion(MODEL)
    result = train("r2", company=declared)
    assert first is not None
    assert "loyalty_points" in registry.load(first).features
    assert result.version != first.version  # other columns are another training
    newest = next(version for version in registry.versions(MODEL) if version.version == result.version)
    assert "loyalty_points" not in registry.load(newest).features
    found = findings("r2").set_index("column_name").loc["loyalty_points"]
    assert (found["check_name"], found["severity"]) == ("known_at", "info")


@pytest.mark.parametrize(
    ("customers", "method", "reads", "baseline_reads"),
    [
        (300, "simpler_model", config.BASELINE.columns, ("recency_days",)),
        (80, "rule", ("recency_days",), ("recency_days",)),
    ],
)
def test_thin_data_get_a_simpler_model_or_a_rule(
    installation: Path, customers: int, method: str, reads: tuple[str, ...], baseline_reads: tuple[str, ...]
) -> None:
    lake_with(rows(customers=customers))
    result = train("r1")
    by_method = {version.method: version for version in registry.versions(MODEL)}
    assert set(by_method) == {method, "baseline"}
    assert by_method[method].version == result.version
    assert registry.load(by_method[method]).features == reads
    assert registry.load(by_method["baseline"]).features == baseline_reads
    assert "customers who have bought (needed: 500)" in result.reason
    card = (load_settings().mlflow_dir / str(by_method[method].card_uri)).read_text()
    assert "**Why this method** Too little data for a model of their own" in card
    champion = registry.champion(MODEL)
    assert champion is not None
    assert champion.method == ("baseline" if result.grade == "C" else method)
    today = rows(customers=customers).query("as_of == @TODAY").rename(columns={"customer_id": "entity_id"})
    served = registry.load(champion)
    scores = served.predict(today)
    assert ((scores > 0) & (scores < 1)).all()
    assert registry.why_not_trained(MODEL) is None
    assert train("r2").status == "unchanged"


def test_too_little_data_are_not_scored_and_say_why(installation: Path) -> None:
    lake_with(rows(customers=40))
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
    lake_with(rows(customers=40))
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


def orders(as_of: date, since: int, before: int = 1000) -> None:
    """Write ``marts.fct_orders`` with `before` purchases up to TODAY and `since` on `as_of`."""
    with lake.connect() as connection:
        connection.execute(
            f"create or replace table marts.fct_orders as select 'c' || range as customer_id, "
            f"case when range < {before} then date '{TODAY}' else date '{as_of}' end as ordered_on, "
            f"true as is_purchase, 1.0 as revenue_amount from range({before + since})"
        )


def test_when_a_model_is_due(installation: Path) -> None:
    assert training.is_due(MODEL, TODAY, COMPANY)[0]
    lake_with(rows())
    train("r1")
    orders(TODAY, since=0)
    week = timedelta(days=COMPANY.prediction.retrain_after_days)
    assert not training.is_due(MODEL, TODAY, COMPANY)[0]
    assert not training.is_due(MODEL, TODAY + week - timedelta(days=1), COMPANY)[0]
    assert training.is_due(MODEL, TODAY + week, COMPANY)[0]
    assert training.is_due(MODEL, TODAY - timedelta(days=1), COMPANY)[0]


def test_enough_new_labels_make_a_model_due(installation: Path) -> None:
    lake_with(rows())
    train("r1")
    tomorrow = TODAY + timedelta(days=1)
    orders(tomorrow, since=99)
    assert not training.is_due(MODEL, tomorrow, COMPANY)[0]
    orders(tomorrow, since=100)
    is_due, why = training.is_due(MODEL, tomorrow, COMPANY)
    assert is_due
    assert "100 outcomes came since, 1,000 were known" in why
    assert not training.is_due(MODEL, TODAY, COMPANY)[0]  # they have not happened yet on that day
    patient = Company(name="test", title="Test", prediction={"retrain_after_new_labels": 0.2})
    assert not training.is_due(MODEL, tomorrow, patient)[0]


def test_a_champion_that_cannot_be_used_is_due(installation: Path) -> None:
    lake_with(rows())
    train("r1")
    champion = registry.champion(MODEL)
    assert champion is not None
    (load_settings().mlflow_dir / str(champion.artifact_uri) / "model.json").write_text("{}")
    is_due, why = training.is_due(MODEL, TODAY, COMPANY)
    assert is_due
    assert "not those that were registered" in why


def found(due: list[training.Due]) -> training.Due:
    return next(one for one in due if one.model == MODEL)


def test_an_alarm_makes_a_model_due_and_the_same_data_are_not_trained_twice(installation: Path) -> None:
    lake_with(rows())
    first = train("r1")
    assert not found(training.which_are_due(TODAY, company=COMPANY)).is_due
    due = found(training.which_are_due(TODAY, alarmed=[MODEL], company=COMPANY))
    assert (due.model, due.is_due) == (MODEL, True)
    assert "alarm" in due.reason
    assert train("r2").version == first.version


def test_a_model_that_cannot_be_judged_is_due_and_does_not_stop_the_others(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcomes are read from a table that is not there: its own training will say so."""
    spec = find_model(MODEL)
    outcome = replace(spec.outcome, events="select * from marts.no_such_table") if spec.outcome else None
    lake_with(rows())
    train("r1")
    monkeypatch.setattr(training, "MODELS", (replace(spec, name="purchase_propensity", outcome=outcome), spec))
    monkeypatch.setattr("crm_agents.model_catalog.MODELS", training.MODELS)
    orders(TODAY, since=0)
    tomorrow = TODAY + timedelta(days=1)
    broken, _ = training.which_are_due(tomorrow, company=COMPANY)
    assert broken.is_due
    assert "no_such_table" in broken.reason


def test_without_the_registry_training_says_so_and_the_champion_stays(
    installation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake_with(rows())
    first = train("r1")
    lake_with(rows(as_of=LATER), LATER)
    with postgres.connect("postgres", autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'mlflow'")
        admin.execute("alter database mlflow rename to mlflow_away")
    try:
        with pytest.raises(CrmAgentsError, match="mlflow"):
            train("r2", LATER)
    finally:
        with postgres.connect("postgres", autocommit=True) as admin:
            admin.execute("alter database mlflow_away rename to mlflow")
    champion = registry.champion(MODEL, LATER)
    assert champion is not None
    assert champion.version == first.version
    assert len(registry.versions(MODEL)) == 2
    assert findings("r2")["severity"].notna().any()  # what was found of the data is kept all the same
    assert registry.load(champion).features
    assert train("r3", LATER).status != "unchanged"


def test_training_for_an_earlier_day_leaves_the_present_alone(installation: Path) -> None:
    lake_with(rows(as_of=LATER), LATER)
    now = train("r1", LATER)
    lake_with(rows())
    before = train("r2", TODAY)
    assert before.status == "promoted"
    for day, version in ((LATER, now.version), (TODAY, before.version)):
        champion = registry.champion(MODEL, day)
        assert champion is not None
        assert champion.version == version
    assert registry.champion(MODEL, TODAY - timedelta(days=1)) is None


def test_missing_features_are_said(installation: Path) -> None:
    with pytest.raises(CrmAgentsError, match=r"no features.ftr_customers"):
        train("r1")
    lake_with(rows())
    with pytest.raises(CrmAgentsError, match="no rows as of 2030-01-01"):
        train("r1", date(2030, 1, 1))
    with pytest.raises(CrmAgentsError, match="Models: purchase_propensity, churn"):
        training.train("weather", as_of=TODAY, run_id="r1", company=COMPANY)


@pytest.mark.real_data
def test_online_retail_through_the_real_marts(installation: Path) -> None:
    """n, base rate and limits as in the published comparison: RFM logistic about 0.738 / 0.207 (AUC / Brier)."""
    from crm_agents import ingest, marts
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
    _past_day_is_built_as_it_was_known(date(2011, 12, 1))


def _past_day_is_built_as_it_was_known(day: date) -> None:
    """A backfill finds no features of a past day and builds them, from what had happened by then."""
    from crm_agents.agents import history

    assert history.ensure_features(day, "h1")
    assert not history.ensure_features(day, "h1")
    with lake.connect() as connection:
        found = connection.execute(
            "select count(*) filter (has_purchased), sum(purchases_total), min(recency_days) "
            "from features.ftr_customers where as_of = ?",
            [day],
        ).fetchone()
        known = connection.execute(
            "select count(distinct customer_id), count(*), date_diff('day', max(ordered_on), ?) from marts.fct_orders "
            "where is_purchase and ordered_on <= ?",
            [day, day],
        ).fetchone()
    assert found == known
