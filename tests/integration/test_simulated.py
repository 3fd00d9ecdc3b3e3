"""The simulated company through the real loader: all dirt is where it belongs, everything else is in the CRM."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from crm_agents import postgres
from crm_agents.company import find_company, read_company
from crm_agents.crm_schema import crm_tables
from crm_agents.loading import LoadReport, load
from crm_agents.settings import load_settings
from crm_agents.simulator import Parameters

CUSTOMERS = 1200


@pytest.fixture
def loaded(installation: Path) -> LoadReport:
    return load("simulated", customers=CUSTOMERS, seed=11)


def truth(sql: str) -> list[tuple]:
    """Query the hidden truth; its tables are named truth.<table>, the source files data.<table>."""
    settings = load_settings()
    connection = duckdb.connect(config={"threads": 2})
    for schema, folder in (("truth", settings.truth_dir), ("data", settings.home / "sources" / "simulated")):
        connection.execute(f"create schema {schema}")
        for file in folder.glob("*.parquet"):
            connection.execute(
                f"create view {schema}.{file.stem} as from read_parquet('{file}', file_row_number = true)"
            )
    return connection.execute(sql).fetchall()


def crm(sql: str) -> list[tuple]:
    with postgres.connect("crm") as connection:
        return connection.execute(sql).fetchall()


def test_settings_are_known_and_name_every_table() -> None:
    company = read_company(find_company("simulated"))
    assert company.generator == "simulator"
    assert {source.name for source in company.sources} == set(crm_tables())
    assert company.last_event_on == Parameters().end_on  # later dates are mistakes, and nothing true is later


def test_load_keeps_the_usable_and_quarantines_exactly_the_unusable(loaded: LoadReport) -> None:
    assert all(counts.used > 0 for counts in loaded.tables)
    assert {counts.table for counts in loaded.tables} == set(crm_tables())
    assert loaded.notes == ()

    found = set(crm("select source_file, (row->>'_row')::bigint from crm_ai.quarantine"))
    told = set(truth("select source_file, row from truth.dirt where treatment = 'quarantined'"))
    assert found == told
    assert len(told) > 100
    assert loaded.rows_used + loaded.rows_quarantined == loaded.rows_read
    assert loaded.rows_quarantined == len(told)

    _check_kept_dirt()
    _check_totals()
    _check_types()


def _check_kept_dirt() -> None:
    """What is unusual but usable is in the CRM, read rightly."""
    moments = {key: rest for key, *rest in crm("select customer_id, created_at, updated_at from crm.customers")}
    for kind in ("American date", "German date"):
        told = truth(f"select row_key from truth.dirt where table_name = 'customers' and kind = '{kind}'")
        assert told
        assert all(moments[key][0] == moments[key][1].replace(second=0) for (key,) in told)
    told = truth("select row_key from truth.dirt where table_name = 'customers' and kind = 'missing date'")
    assert [moments[key][0] for (key,) in told] == [None] * len(told)
    mails = dict(crm("select customer_id, email from crm.customers"))
    assert all(mails[key] is None for (key,) in truth(
        "select row_key from truth.dirt where table_name = 'customers' and kind = 'missing mail'"))  # fmt: skip
    assert not any(re.search(r"\d@example", mails[key]) for (key,) in truth(
        "select row_key from truth.dirt where table_name = 'customers' and kind = 'malformed mail'"))  # fmt: skip
    second = {key for (key,) in truth("select customer_id from truth.duplicates")}
    assert second
    assert second <= set(mails)
    assert len(mails) == CUSTOMERS + len(second)


def _check_totals() -> None:
    """Amounts are read to the cent whatever they look like, and negative quantities are kept."""
    usable = """from data.order_items i anti join (
        from truth.dirt where table_name = 'order_items' and treatment = 'quarantined') d on d.row = i.file_row_number + 1"""
    amount = "replace(replace(replace(unit_price, ' EUR', ''), '€ ', ''), ',', '.')::decimal(18, 2)"
    expected = truth(
        f"select count(*), sum(quantity * {amount} - discount::decimal(18, 2)), count(*) filter (quantity < 0) {usable}"
    )[0]
    read = crm(
        "select count(*), sum(quantity * unit_price - discount), count(*) filter (where quantity < 0) from crm.order_items"
    )[0]
    assert read[0] == expected[0] > 10_000
    assert read[1] == expected[1]
    assert read[2] == expected[2] > 100
    newest = crm("select max(ordered_at)::date::text from crm.orders")[0][0]
    assert "2026-06-01" < newest <= "2026-06-30"


def _check_types() -> None:
    counts = crm(
        """select (select count(*) from crm.leads where attributes->>'pages_viewed' is not null),
            (select count(*) from crm.leads), (select min(cardinality(skills)) from crm.sales_reps),
            (select count(*) from crm.customers where birth_on is not null),
            (select count(*) from crm.orders o where not exists (
                select from crm.customers c where c.customer_id = o.customer_id))"""
    )[0]
    assert counts[0] == counts[1] > 100
    assert counts[2] >= 3
    assert counts[3] > CUSTOMERS / 3
    assert counts[4] == 0
