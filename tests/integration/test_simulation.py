"""Days of the simulated company beside a real CRM, through the functions that the DAGs call."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crm_agents import postgres
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import load
from crm_agents.loading.rules import owners_of
from crm_agents.marts.days import EVENT_COLUMNS
from crm_agents.settings import load_settings
from crm_agents.simulation import Progress, Simulated, simulate
from crm_agents.simulation.pipeline import PipelineDay
from crm_agents.simulation.report import write_report
from crm_agents.simulation.runner import wishes_of
from crm_agents.simulation.state import read_state, state_file
from crm_agents.simulator.contacts import ACTION_OF_CHOICE

START = date(2026, 7, 1)
CUSTOMERS = 700
TABLES = (
    "customers", "consents", "orders", "order_items", "payments", "interactions", "tickets", "feedback", "leads",
    "opportunities", "opportunity_stages", "activities", "loyalty_transactions",
)  # fmt: skip


def crm(query: str, *values: Any) -> list[tuple]:
    with postgres.connect() as connection:
        return connection.execute(query, values).fetchall()


def fingerprint() -> list[tuple]:
    """Return a checksum of every row of every table."""
    parts = [
        f"select '{name}', count(*), md5(string_agg(t::text, '' order by t::text)) from crm.{name} t" for name in TABLES
    ]
    return crm(" union all ".join(parts))


CONTACTS = "as_of = '2026-06-30' and blocked_by is null and chosen in " + str(tuple(ACTION_OF_CHOICE))


def no_pipeline(as_of: date, company: Company, tell: object) -> PipelineDay:
    """A company whose agents have nothing to say: the days alone."""
    return PipelineDay(as_of)


@pytest.fixture
def simulated(installation: Path) -> list[Progress]:
    """Two days of a small company through the whole pipeline."""
    days: list[Progress] = []
    simulate(2, customers=CUSTOMERS, seed=3, on_day=days.append)
    return days


def test_days_with_the_agents_at_work(simulated: list[Progress], tmp_path: Path) -> None:
    first_evening, first, second = simulated
    assert first_evening.day is None
    trained = {result.model: result.status for result in first_evening.pipeline.trained}
    assert trained["purchase_propensity"] == "promoted"
    assert set(trained.values()) <= {"promoted", "serves_baseline", "not_scored"}
    assert first_evening.pipeline.decisions > CUSTOMERS
    assert first.day is not None
    assert first.day.contacts > 20
    assert (first.on, second.on) == (START, date(2026, 7, 2))
    assert crm("select count(distinct as_of), max(as_of) from crm_ai.decisions") == [(3, date(2026, 7, 2))]
    _check_rows()
    _check_contacts(first.day.contacts)
    _check_going_on(tmp_path)


def _check_rows() -> None:
    """Every row of the days belongs to something, and knows nothing later than its own day."""
    seen = 0
    for name in TABLES:
        fresh = f"from crm.{name} t where updated_at >= '2026-07-01'"
        count, newest = crm(f"select count(*), max(updated_at) < '2026-07-03' {fresh}")[0]
        seen += count > 0
        assert count == 0 or newest, name
        for column in EVENT_COLUMNS.get(name, ()):
            assert crm(f"select count(*) {fresh} and {column} > updated_at") == [(0,)], (name, column)
        for column, owner in owners_of(name).items():
            lost = (
                f"and t.{column} is not null and not exists (select from crm.{owner} o where o.{column} = t.{column})"
            )
            assert crm(f"select count(*) {fresh} {lost}") == [(0,)], (name, column)
    assert seen >= len(TABLES) - 3  # two days of a small company: not everybody rates or converts
    assert crm("select count(*) from crm.orders where ordered_at >= '2026-07-01' and currency = 'EUR'")[0][0] > 5


def _check_contacts(contacts: int) -> None:
    """The contacts stand in the CRM as calls and mails, and the agents' wishes were read from their decisions."""
    calls = crm(
        "select count(*) from crm.interactions where occurred_at::date = '2026-07-01' and direction = 'outbound' "
        f"and kind in ('call', 'message') and customer_id in (select entity_id from crm_ai.decisions where {CONTACTS})"
    )[0][0]
    assert calls >= contacts * 0.95  # contacts under a second id go to the customer that it truly is
    state = read_state(load_settings())
    assert state is not None
    wanted = sum(len(places) for places in state.days[0].wishes.values())
    decided = crm(f"select count(distinct entity_id) from crm_ai.decisions where {CONTACTS}")[0][0]
    assert decided * 0.95 <= wanted <= decided
    assert contacts <= wanted


def _check_going_on(folder: Path) -> None:
    """A day that was interrupted after its rows were written is repeated without a second effect, and days go on."""
    path, before = state_file(load_settings()), fingerprint()
    decisions = crm("select count(*), count(distinct entity_id || as_of) from crm_ai.decisions")
    state = read_state(load_settings())
    assert state is not None
    finished = state.days.pop()
    state.save(path)
    repeated = simulate(1)
    assert repeated.state.days[-1].on == finished.on
    assert repeated.state.days[-1].wishes == finished.wishes
    assert fingerprint() == before
    assert crm("select count(*), count(distinct entity_id || as_of) from crm_ai.decisions") == decisions
    _check_report(repeated, folder)


def _check_report(done: Simulated, folder: Path) -> None:
    verdict = write_report(done, folder / "results.md")
    text = (folder / "results.md").read_text()
    assert len(verdict) == 3
    assert "## 2 simulated days" in text
    assert all(line in text for line in verdict)
    assert (folder / "images" / "learning.png").read_bytes().startswith(b"\x89PNG")


def test_going_on_is_the_same_as_going_through(installation: Path) -> None:
    """Stopping and starting again gives the rows that going through would have given (contacts are kept)."""
    load("simulated", customers=150, seed=4)
    decide = (
        "insert into crm_ai.decisions (decision_id, run_id, agent, entity_type, entity_id, options, chosen, policy, reason, "
        "as_of) select 'd' || customer_id || %s, 'r', 'a', 'customer', customer_id, '{}', 'contact_now', 'p', 'w', %s "
        "from (select * from crm.customers order by customer_id limit 60) c"
    )
    evenings = [date(2026, 7, day) for day in (1, 2, 4)]

    def decisions(as_of: date, company: Company, tell: object) -> PipelineDay:
        if as_of in evenings:
            with postgres.connect() as connection:
                connection.execute(decide, (str(as_of), as_of))
        return PipelineDay(as_of)

    simulate(3, pipeline=decisions)
    stopped = simulate(3, pipeline=decisions)
    through = stopped.worlds.agents.ledger.net_cents.sum()
    assert stopped.days == 6
    assert stopped.worlds.agents.contacts.made > 60
    again = simulate(0, pipeline=no_pipeline)
    assert again.worlds.agents.ledger.net_cents.sum() == through
    assert again.worlds.agents.contacts.made == stopped.worlds.agents.contacts.made
    assert wishes_of(again.worlds.agents, date(2026, 7, 3)) == {}
    orders = crm("select count(*) from crm.orders where ordered_at >= '2026-07-01'")[0][0]
    assert orders == (again.worlds.agents.ledger.day >= again.worlds.first_day).sum()


def test_a_company_that_is_not_simulated(shop: Any) -> None:
    shop.load()
    with pytest.raises(CrmAgentsError, match="A shop is not simulated"):
        simulate(1)
    assert not state_file(load_settings()).is_file()


def test_another_company_than_the_loaded_one(installation: Path) -> None:
    load("simulated", customers=60, seed=4)
    with pytest.raises(CrmAgentsError, match="60 customers, seed 4, not customers 70"):
        simulate(1, customers=70)
    simulate(1, customers=60, seed=4, pipeline=no_pipeline)
    load("simulated", customers=60, seed=4)
    with pytest.raises(CrmAgentsError, match="loaded anew after 1 days"):
        simulate(1, pipeline=no_pipeline)


def test_a_damaged_state_is_told(installation: Path) -> None:
    load("simulated", customers=60, seed=4)
    path = state_file(load_settings())
    path.parent.mkdir(parents=True)
    path.write_text('{"customers": 60')
    with pytest.raises(CrmAgentsError, match=r"state\.json cannot be read"):
        simulate(1, pipeline=no_pipeline)
