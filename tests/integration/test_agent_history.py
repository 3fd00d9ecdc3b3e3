"""The agent on days gone by and with a champion that cannot be used: real lake, real registry, no Airflow."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from crm_agents import lake, postgres, registry, training
from crm_agents.agents import customer_behaviour as agent
from crm_agents.agents.frame import AgentRun, Executed
from crm_agents.company import Company
from crm_agents.marts import training_cutoffs
from crm_agents.settings import load_settings
from tests.simulated_customers import feature_rows, fill_lake, purchases

MODEL = "purchase_propensity"
START = date(2024, 6, 30)
DAYS = [START + timedelta(days=number) for number in (1, 2, 3)]
COMPANY = Company(name="test", title="Test", prediction={"cutoffs": 3})
CUTOFFS = training_cutoffs(COMPANY, START, date(2022, 1, 1))


@cache
def rows() -> pd.DataFrame:
    bought = purchases(900, DAYS[-1])
    return feature_rows(bought, [*DAYS, START, *CUTOFFS.all], 30)


@pytest.fixture
def trained(installation: Path) -> str:
    """Version that serves from START on."""
    fill_lake(rows(), horizon_days=30, label_days=CUTOFFS.all)
    result = training.train(MODEL, as_of=START, run_id="t1", company=COMPANY)
    assert result.status == "promoted"
    return str(result.serving)


def work(day: date, *, is_backfill: bool, run_id: str | None = None) -> Executed:
    run = AgentRun(run_id or f"backfill-{day}", agent.AGENT, day, is_backfill)
    assert agent.perceive(run, COMPANY).is_enough
    agent.understand(run, COMPANY)
    agent.decide(run, COMPANY)
    return agent.execute(run, COMPANY)


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def history() -> list[tuple]:
    return ask(
        "select as_of, entity_id, value, unit, grade, percentile, status, status_reason, method, model_version, run_id "
        "from crm_ai.score_history order by 1, 2"
    )


def forget() -> None:
    with postgres.connect() as crm:
        crm.execute("truncate crm_ai.score_history")


def test_any_order_and_twice_gives_the_same_history(trained: str) -> None:
    for day in reversed(DAYS):
        work(day, is_backfill=True)
    first = history()
    assert len(first) == (rows()["as_of"].isin(DAYS)).sum()
    assert {row[9] for row in first} == {trained}
    for day in reversed(DAYS):
        work(day, is_backfill=True)
    assert history() == first
    forget()
    for day in (DAYS[1], DAYS[0], DAYS[2]):
        work(day, is_backfill=True)
    assert history() == first
    forget()
    work(DAYS[2], is_backfill=False, run_id="today")  # what stands now makes no difference to what was known then
    forget()
    for day in DAYS:
        work(day, is_backfill=True)
    assert history() == first


def test_a_backfill_touches_nothing_that_stands(trained: str) -> None:
    tables = ("scores", "decisions", "write_ledger")
    work(DAYS[2], is_backfill=False, run_id="today")
    before = {table: ask(f"select * from crm_ai.{table} order by 1, 2, 3") for table in tables}
    assert before["scores"]
    for day in DAYS:
        assert work(day, is_backfill=True) == Executed(0, 0, 0, 0)
        assert not agent.blast_radius(AgentRun("r", agent.AGENT, day, True), COMPANY).needs_approval
    assert {table: ask(f"select * from crm_ai.{table} order by 1, 2, 3") for table in tables} == before


def test_a_backfill_uses_the_champion_of_each_day(trained: str) -> None:
    (baseline,) = [version for version in registry.versions(MODEL) if version.method == "baseline"]
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.model_promotions (model, version, as_of, reason) values (%s, %s, %s, 'by hand')",
            (MODEL, baseline.version, DAYS[1]),
        )
    for day in reversed(DAYS):
        work(day, is_backfill=True)
    found = ask("select as_of, min(model_version), max(model_version) from crm_ai.score_history group by 1 order by 1")
    expected = [trained, baseline.version, baseline.version]
    assert found == [(day, version, version) for day, version in zip(DAYS, expected, strict=True)]


def test_a_clock_set_back_overwrites_no_newer_score(trained: str) -> None:
    work(DAYS[2], is_backfill=False, run_id="today")
    before = ask("select * from crm_ai.scores order by entity_id")
    executed = work(DAYS[0], is_backfill=False, run_id="set-back")
    assert executed.updated == 0
    assert ask("select * from crm_ai.scores order by entity_id") == before
    assert registry.champion(MODEL, START - timedelta(days=1)) is None  # nor does a model serve before its day


def test_before_the_first_champion_a_past_day_waits(trained: str) -> None:
    readiness = agent.champion_readiness(AgentRun("r", agent.AGENT, START - timedelta(days=1)))
    assert readiness.state == "waiting"


@pytest.mark.parametrize("harm", ["deleted", "corrupt"])
def test_without_the_champions_files_the_baseline_serves_and_says_why(trained: str, harm: str) -> None:
    champion = registry.champion(MODEL)
    assert champion is not None
    folder = load_settings().mlflow_dir / str(champion.artifact_uri)
    if harm == "deleted":
        folder.rename(folder.with_name("elsewhere"))
    else:
        (folder / "trees.json").write_bytes((folder / "trees.json").read_bytes()[:-100])
    run = AgentRun("r1", agent.AGENT, DAYS[0])
    readiness = agent.champion_readiness(run)
    assert readiness.state == "ready"
    assert ("are gone" if harm == "deleted" else "not those that were registered") in readiness.reason
    understood = agent.understand(run, COMPANY)
    assert understood.method == f"{MODEL}: baseline"
    assert understood.scored > 0
    assert training.is_due(MODEL, DAYS[0], COMPANY)[0]


def test_columns_that_no_longer_exist_let_the_baseline_serve_and_then_nobody(trained: str) -> None:
    run = AgentRun("r1", agent.AGENT, DAYS[0])
    champion = registry.champion(MODEL)
    assert champion is not None
    model_columns = set(registry.load(champion).features)
    lost = sorted(model_columns & {"distinct_products", "mean_gap_days"})
    assert lost
    with lake.connect() as connection:
        connection.execute(f"alter table features.ftr_customers drop column {lost[0]}")
    readiness = agent.champion_readiness(run)
    assert (readiness.state, agent.understand(run, COMPANY).method) == ("ready", f"{MODEL}: baseline")
    assert f"was trained on {lost[0]}, which the features no longer have" in readiness.reason
    with lake.connect() as connection:
        connection.execute("alter table features.ftr_customers drop column revenue_total")
    readiness = agent.champion_readiness(run)
    assert readiness.state == "waiting"
    assert "revenue_total" in readiness.reason
