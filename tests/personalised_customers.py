"""A small company with products, features, consents and a trained model of recommendations, for the personalisation agent."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from crm_agents import lake, postgres, training
from crm_agents.agents import frame
from crm_agents.agents import personalisation as agent
from crm_agents.agents.frame import AgentRun, Executed
from crm_agents.company import Company
from tests.purchase_lines import fill_marts, lines
from tests.simulated_customers import feature_rows, fill_lake

DAY = date(2024, 6, 30)
COMPANY = Company(
    name="test",
    title="Test",
    minimum_data={"customers": 100, "positives": 30, "negatives": 30},
    personalisation={"outcome_days": 7, "max_contact_share": 1.0, "approval_above_messages": None},
)


def set_up(home: Path, company: Company = COMPANY, consenting: float = 0.8) -> None:
    """Load customers, marts, features and consents, and train recommendations."""
    folder = home / "company"
    folder.mkdir()
    (folder / "company.yml").write_text("name: test\ntitle: Test\n")
    bought = lines(DAY)
    fill_marts(bought)
    add_features(DAY, bought)
    with lake.connect() as connection:
        connection.execute(
            "create table marts.dim_customers as select distinct customer_id from features.ftr_customers"
        )
        ids = [
            row[0] for row in connection.execute("select customer_id from marts.dim_customers order by 1").fetchall()
        ]
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            "insert into crm.customers (customer_id, country) values (%s, 'Austria')", [(one,) for one in ids]
        )
        cursor.executemany(
            "insert into crm.consents (customer_id, channel, purpose, granted, basis, captured_at) "
            "values (%s, %s, 'marketing', true, 'consent', '2023-01-01')",
            [
                (one, channel)
                for number, one in enumerate(ids)
                if number < consenting * len(ids)
                for channel in ("email", "phone")
            ],
        )
    assert training.train("recommendations", as_of=DAY, run_id="t1", company=company).status == "promoted"


def add_features(day: date, bought: pd.DataFrame | None = None) -> None:
    """Put the features of `day` into the lake, beside those of earlier days."""
    known = (lines(DAY + timedelta(days=120)) if bought is None else bought).assign(amount=20.0, country="Austria")
    rows = feature_rows(known[known["bought_on"] <= pd.Timestamp(day)], [day], 30)
    if bought is not None:
        fill_lake(rows, 30, [day])
        return
    with lake.connect() as connection:
        connection.register("more", rows)
        names = ", ".join(f'"{row[0]}"' for row in connection.execute("describe features.ftr_customers").fetchall())
        connection.execute(f"insert into features.ftr_customers by name select {names} from more")


def work(run_id: str, company: Company = COMPANY, day: date = DAY) -> Executed:
    """Do the stages of a run; return what was written."""
    run = AgentRun(run_id, agent.AGENT, day)
    agent.understand(run, company)
    agent.decide(run, company)
    assert not agent.blast_radius(run, company).needs_approval
    agent.permit(run, company)
    written = agent.execute(run, company)
    agent.evaluate(run, company)
    frame.finish(run, "done", writes=written.writes)
    return written


def ask(query: str) -> list[tuple]:
    """Return the rows of a query on the CRM database."""
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()
