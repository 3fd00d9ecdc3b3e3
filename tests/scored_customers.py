"""A small company whose customers were all scored for one day, and ways to change and score them again."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd

from crm_agents import lake, postgres, training
from crm_agents.agents import customer_behaviour as agent
from crm_agents.agents import frame, scope
from crm_agents.agents.frame import AgentRun, Executed
from crm_agents.company import Company
from crm_agents.marts import training_cutoffs
from tests.simulated_customers import feature_rows, fill_lake, purchases

DAY = date(2024, 6, 30)
COMPANY = Company(name="test", title="Test", prediction={"cutoffs": 3})
CUTOFFS = training_cutoffs(COMPANY, DAY, date(2022, 1, 1))
CHANGED = 25


@cache
def rows() -> pd.DataFrame:
    """Features of every customer at every cut-off."""
    return feature_rows(purchases(900, DAY), [DAY, *CUTOFFS.all], 30)


def score_everybody(home: Path) -> None:
    """Train a champion and make the whole run ``whole``."""
    folder = home / "company"
    folder.mkdir()
    (folder / "company.yml").write_text("name: test\ntitle: Test\n")
    fill_lake(rows(), horizon_days=30, label_days=CUTOFFS.all)
    with lake.connect() as connection:  # what evaluate reads
        connection.execute(
            "create table marts.dim_customers as select distinct customer_id from features.ftr_customers"
        )
        connection.execute(
            "create table marts.fct_orders (order_id varchar, customer_id varchar, ordered_on date, is_purchase boolean, "
            "revenue_amount decimal(38, 4))"
        )
    assert training.train(agent.MODEL, as_of=DAY, run_id="t1", company=COMPANY).status == "promoted"
    work("whole")
    assert settled("whole").is_whole


def work(run_id: str, company: Company = COMPANY, day: date = DAY) -> Executed:
    """Do the stages of a run that write; return what was written."""
    run = AgentRun(run_id, agent.AGENT, day)
    agent.understand(run, company)
    agent.decide(run, company)
    assert not agent.blast_radius(run, company).needs_approval
    written = agent.execute(run, company)
    agent.explain(run, company)
    frame.finish(run, "done", writes=written.writes)
    return written


def settled(run_id: str) -> scope.Scope:
    """Return what a run was settled on."""
    found = scope.recall(AgentRun(run_id, agent.AGENT, DAY))
    assert found
    return found


def change(customers: int = CHANGED, batch: int = 2) -> None:
    """Let some customers have bought again today, as a later batch tells."""
    with lake.connect() as connection:
        connection.execute(
            "update features.ftr_customers set recency_days = 0, purchases_30d = purchases_30d + 1, "
            f"purchases_total = purchases_total + 1, _batch = {batch} where as_of = ? and customer_id in (select customer_id "
            "from features.ftr_customers where as_of = ? and has_purchased order by hash(customer_id) limit ?)",
            [DAY, DAY, customers],
        )


def ask(query: str) -> list[tuple]:
    """Return the rows of a query on the CRM database."""
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()
