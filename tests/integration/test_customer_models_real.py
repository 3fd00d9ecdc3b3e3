"""Every model of customers on real companies: graded where there is something to learn from, and honest where there is not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crm_agents import ingest, lake, marts, training
from crm_agents.company import loaded_company
from crm_agents.loading import load
from crm_agents.model_catalog import MODELS
from models_ml.segments import segmentation
from tests.conftest import real_data

pytestmark = pytest.mark.real_data


def trained(company: str, *folders: str) -> dict[str, training.TrainingResult]:
    """Load a company, build what training needs, and train every model of customers."""
    load(company, [real_data(folder) for folder in folders])
    ingest.run(run_id="real")
    with lake.connect() as connection:
        as_of = marts.company_as_of(connection, loaded_company())
    marts.build(as_of=as_of, run_id="real")
    training.prepare(as_of=as_of, run_id="real")
    return {spec.name: training.train(spec.name, as_of=as_of, run_id="real") for spec in MODELS}


def test_online_retail_has_a_grade_for_each(installation: Path) -> None:
    results = trained("online_retail", "online_retail")
    assert {name: result.status for name, result in results.items()} == dict.fromkeys(results, "promoted")
    assert {name: result.grade for name, result in results.items()} == {
        "purchase_propensity": "B",
        "churn": "A",
        "lifetime_value": "A",
        "recommendations": "A",
    }
    with lake.connect() as connection:
        frame = connection.execute(
            "select * from features.ftr_customers where as_of = ? and has_purchased order by customer_id",
            [date(2011, 12, 9)],
        ).df()
    found = segmentation.fit(frame)
    assert 2 <= len(found.segments) <= 8
    assert "silhouette" in found.reason


def test_olist_says_that_there_is_not_enough_to_learn_from(installation: Path) -> None:
    results = trained("olist", "olist_sample", "olist_funnel")
    assert {result.status for result in results.values()} == {"not_scored"}
    assert all("Too little data to learn from" in result.reason for result in results.values())
