"""``crm-agents query`` reads both stores, prints every format, and changes nothing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from crm_agents import lake, postgres
from crm_agents.cli.query import TABLE_ROWS, Format, Store, query
from crm_agents.errors import CrmAgentsError


@pytest.fixture
def customers(installation: Path) -> None:
    """Two customers in the CRM, a thousand rows in the lake."""
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm.customers (customer_id, name, annual_revenue) values ('c1', 'Ada', 1.50), ('c2', null, 2)"
        )
    with lake.connect() as connection:
        connection.execute("create table marts.t as select range as id from range(1000)")


@pytest.mark.usefixtures("customers")
def test_crm_as_csv_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    sql = "select customer_id, name, annual_revenue, updated_at from crm.customers order by 1"
    query(sql, Store.CRM, Format.CSV)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["customer_id"] for row in rows] == ["c1", "c2"]
    query(sql, Store.CRM, Format.JSON)
    records = json.loads(capsys.readouterr().out)
    assert (records[0]["annual_revenue"], records[1]["name"]) == (1.5, None)
    assert records[0]["updated_at"].startswith("20")


@pytest.mark.usefixtures("customers")
def test_empty_result_is_valid_json(capsys: pytest.CaptureFixture[str]) -> None:
    query("select 1 as a where false", Store.CRM, Format.JSON)
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.usefixtures("customers")
def test_lake_schemas_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    query("select count(*) as n from marts.t", Store.LAKE, Format.JSON)
    assert json.loads(capsys.readouterr().out) == [{"n": 1000}]


@pytest.mark.usefixtures("customers")
def test_long_table_is_cut_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    query("select id as the_id from marts.t order by id", Store.LAKE, Format.TABLE)
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == TABLE_ROWS + 1
    assert f"first {TABLE_ROWS} of 1,000 rows" in printed.err


@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize(
    ("store", "sql", "reason"),
    [
        (Store.CRM, "delete from crm.customers returning 1", "read-only transaction"),
        (Store.CRM, "select 1; delete from crm.customers", "multiple commands"),
        (Store.CRM, "commit; delete from crm.customers", "multiple commands"),
        (Store.CRM, "select nonsense", 'column "nonsense" does not exist'),
        (Store.CRM, "set time zone 'UTC'", "returns no rows"),
        (Store.LAKE, "delete from marts.t", "read-only mode"),
        (Store.LAKE, "select 1; drop table marts.t", "read-only mode"),
    ],
)
def test_nothing_can_be_changed(store: Store, sql: str, reason: str) -> None:
    with pytest.raises(CrmAgentsError, match=reason):
        query(sql, store, Format.CSV)
    with postgres.connect() as crm, lake.connect() as connection:
        assert crm.execute("select count(*) from crm.customers").fetchone() == (2,)
        assert connection.execute("select count(*) from marts.t").fetchone() == (1000,)
