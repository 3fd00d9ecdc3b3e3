"""Models that learn from purchases themselves pass through the same data check, gate and registry as all others."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from crm_agents import lake, registry, training
from crm_agents.company import Company
from crm_agents.settings import load_settings
from tests.purchase_lines import fill_marts, lines

MODEL, DAY = "recommendations", date(2024, 6, 30)
COMPANY = Company(name="test", title="Test", minimum_data={"customers": 100, "positives": 30, "negatives": 30})


def train(run_id: str = "r1", company: Company = COMPANY) -> training.TrainingResult:
    return training.train(MODEL, as_of=DAY, run_id=run_id, company=company)


def test_the_chosen_model_beats_best_sellers_and_serves(installation: Path) -> None:
    fill_marts(lines(DAY))
    result = train()
    assert (result.status, result.grade) == ("promoted", "A")
    assert result.metrics["ndcg"] > result.baseline_metrics["ndcg"]
    champion = registry.champion(MODEL)
    assert champion is not None
    served = registry.load(champion)
    assert served.fitted.facts["known_until"] == "2024-05-31"
    files = load_settings().mlflow_dir / str(champion.card_uri)
    assert "best sellers" in files.read_text()
    assert train("r2").status == "unchanged"


def test_mlflow_loads_it_and_answers(installation: Path) -> None:
    fill_marts(lines(DAY))
    train()
    champion = registry.champion(MODEL)
    assert champion is not None
    import mlflow

    folder = (load_settings().mlflow_dir / str(champion.artifact_uri)).parent
    loaded = mlflow.pyfunc.load_model(str(folder))
    found = loaded.predict(lines(DAY).assign(bought_on=lambda rows: rows["bought_on"].astype(str)))
    assert list(found.columns) == ["customer_id", "rank", "product_id", "score", "reason"]
    assert found["rank"].max() == 10


def test_later_purchases_change_nothing_that_was_learnt(installation: Path) -> None:
    later = lines(DAY + timedelta(days=60))
    fill_marts(later)
    first = train()
    fill_marts(later[later["bought_on"].dt.date <= DAY])
    assert train("r2").status == "unchanged", first.reason


def test_shuffled_customers_give_no_champion_but_best_sellers(installation: Path) -> None:
    rows = lines(DAY)
    rng = np.random.default_rng(5)
    rows["product_id"] = rng.permutation(rows["product_id"].to_numpy())
    fill_marts(rows)
    result = train()
    champion = registry.champion(MODEL)
    assert champion is not None
    assert result.grade in {"B", "C"}
    if result.grade == "C":
        assert champion.method == "baseline"


@pytest.mark.parametrize(("customers", "method"), [(60, "rule"), (20, None)])
def test_few_customers_climb_down_the_ladder(installation: Path, customers: int, method: str | None) -> None:
    fill_marts(lines(DAY, customers=customers))
    company = Company(name="test", title="Test", minimum_data={"simpler": {"customers": 90}, "rule": {"positives": 5}})
    result = train(company=company)
    champion = registry.champion(MODEL)
    assert (champion.method if champion else None) == method
    if method is None:
        assert result.status == "not_scored"
        assert "Too little data to learn from" in result.reason


def test_without_marts_it_is_said(installation: Path) -> None:
    from crm_agents.errors import CrmAgentsError

    with pytest.raises(CrmAgentsError, match="Build the marts first"):
        train()
    with lake.connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
