"""Churn beside purchases: two models, one run, one write; who is lost already is told so."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crm_agents import horizons, lake, registry, training
from crm_agents.agents import customer_behaviour as agent
from crm_agents.agents import customer_scores
from crm_agents.agents.frame import AgentRun
from crm_agents.company import Company
from crm_agents.model_catalog import find_model
from crm_agents.undo import undo
from tests.scored_customers import COMPANY, CUTOFFS, DAY, ask, change, work

CHURN = COMPANY.model_copy(update={"churn": COMPANY.churn.model_copy(update={"window_days": 30})})


@pytest.fixture
def both(scored: None) -> None:
    """Train churn beside the purchase champion, and let a run score with both."""
    result = training.train("churn", as_of=DAY, run_id="t2", company=CHURN)
    assert result.status == "promoted", result.reason
    work("both", CHURN)


def test_both_models_score_in_one_run(both: None) -> None:
    counts = dict(ask("select model, count(*) from crm_ai.scores group by 1"))
    assert counts["churn"] == counts["purchase_propensity"] > 0
    assert ask("select count(*) from crm_ai.scores where model = 'churn' and run_id <> 'both'") == [(0,)]
    # what has not changed since the run before was not written again
    assert ask("select distinct model from crm_ai.score_history where run_id = 'both'") == [("churn",)]
    # both look 30 days ahead: what speaks for a purchase speaks against losing the customer
    together = ask(
        "select corr(c.value, p.value) from crm_ai.scores c join crm_ai.scores p using (entity_id) "
        "where c.model = 'churn' and p.model = 'purchase_propensity'"
    )
    assert together[0][0] < -0.8


def test_who_is_lost_already_is_told_so(both: None) -> None:
    with lake.connect() as connection:
        silent = connection.execute(
            "select count(*) from features.ftr_customers where as_of = ? and recency_days > 30", [DAY]
        ).fetchone()
    rows = ask("select status_reason, count(*) from crm_ai.scores where model = 'churn' and value is null group by 1")
    assert rows == [("Not active: no purchase within 30 days, so there is nothing left to lose.", *(silent or ()))]


def test_reasons_add_up_to_the_score(both: None) -> None:
    rows = ask(
        "select count(*), max(abs(total - ln(value / (1 - value)))) from crm_ai.scores join (select entity_id, "
        "sum(contribution) as total from crm_ai.score_reasons where model = 'churn' group by 1) r using (entity_id) "
        "where model = 'churn'"
    )
    assert rows[0][0] > 100
    assert rows[0][1] < 1e-5


def test_a_run_of_the_changed_ranks_each_model_in_its_own_distribution(both: None) -> None:
    change()
    work("few", CHURN)
    found = ask(
        "select model, corr(place, percentile) from (select model, percentile, percent_rank() over (partition by model "
        "order by value) as place from crm_ai.scores where value is not null) p group by 1 order by 1"
    )
    assert [row[0] for row in found] == ["churn", "purchase_propensity"]
    assert all(row[1] > 0.99 for row in found)
    undo("few")
    assert ask("select count(*) from crm_ai.scores where run_id = 'few'") == [(0,)]


def test_churn_that_cannot_be_learnt_says_so_and_purchases_are_scored(scored: None) -> None:
    silent = CHURN.model_copy(update={"churn": CHURN.churn.model_copy(update={"window_days": 600})})
    result = training.train("churn", as_of=DAY, run_id="t2", company=silent)
    assert result.status == "not_scored"
    assert "days of history (needed: 1,200)" in result.reason
    assert customer_scores.versions(AgentRun("r", agent.AGENT, DAY))["churn"] == customer_scores.NOBODY
    work("both", silent)
    assert ask("select distinct status_reason from crm_ai.scores where model = 'churn'") == [(result.reason,)]
    assert ask("select count(*) > 0 from crm_ai.scores where model = 'purchase_propensity' and value > 0") == [(True,)]


def test_the_window_is_proposed_from_the_companys_rhythm(installation: Path) -> None:
    company, spec = Company(name="test", title="Test"), find_model("churn")
    with lake.connect() as connection:
        connection.execute(
            "create table marts.fct_orders as select 'c' || i % 50 as customer_id, date '2024-01-01' + (i // 50 * 40)::integer "
            "as ordered_on, true as is_purchase from range(400) t(i)"
        )
    assert horizons.horizon_days(spec, company, date(2024, 12, 31)) == 60
    assert horizons.horizon_days(spec, company, date(2024, 1, 15)) == 365  # nobody has bought twice by then
    assert horizons.horizon_days(spec, CHURN, date(2024, 12, 31)) == 30
    assert horizons.horizon_days(find_model("purchase_propensity"), company, DAY) == 30


@pytest.mark.parametrize("model", ["churn", "purchase_propensity"])
def test_shuffled_labels_leave_the_champion_where_it_is(both: None, model: str) -> None:
    champion = registry.champion(model, DAY)
    assert champion is not None
    label = find_model(model).module("config").LABEL
    with lake.connect() as connection:
        connection.execute(
            f"create or replace table features.lbl_customers as select l.* replace (s.{label} as {label}) from "
            "(select *, row_number() over (order by as_of, customer_id) as place from features.lbl_customers "
            f"where as_of < date '{CUTOFFS.test}') l join "
            f"(select {label}, row_number() over (order by md5(customer_id || as_of)) as place from features.lbl_customers "
            f"where as_of < date '{CUTOFFS.test}') s using (place) "
            f"union all by name select * from features.lbl_customers where as_of >= date '{CUTOFFS.test}'"
        )
    result = training.train(model, as_of=DAY, run_id="t3", company=CHURN)
    assert result.status == "kept_champion", result.reason
    if model == "purchase_propensity":  # churn has too few active customers here for a model that could learn noise
        assert result.grade == "C"
    still = registry.champion(model, DAY)
    assert still is not None
    assert still.version == champion.version
