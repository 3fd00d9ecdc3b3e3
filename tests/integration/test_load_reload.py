"""Loading again: only what differs is written, all or nothing, whatever was there before."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from crm_agents import postgres
from crm_agents.company import loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import LoadReport, load
from crm_agents.settings import load_settings

STAMPS = "select order_id, line_no, updated_at, xmin::text from crm.order_items order by 1, 2"


def moved(report: LoadReport, table: str) -> tuple[int, int, int, int]:
    counts = report.table(table)
    return counts.inserted, counts.changed, counts.removed, counts.unchanged


def test_same_data_touches_no_row(shop: Any) -> None:
    assert moved(shop.load(), "order_items") == (4, 0, 0, 0)
    before = shop.crm(STAMPS)
    report = shop.load()
    assert [moved(report, table)[:3] for table in ("customers", "orders", "order_items")] == 3 * [(0, 0, 0)]
    assert shop.crm(STAMPS) == before


def test_difference_alone_is_written_in_every_table(shop: Any) -> None:
    shop.load()
    loaded_at = shop.crm("select clock_timestamp()")[0][0]
    untouched = shop.crm("select updated_at, xmin::text from crm.customers where customer_id = 'c1'")
    shop.write("customers.csv", "customer_id,name,since\nc1,Ada,2024-01-01\nc2,Benno,2024-01-02\nc4,Dora,2024-01-04\n")
    shop.write(
        "orders.csv",
        "order_id,customer_id,ordered_at,promised_at,state\n"
        "o1,c1,2024-02-01 10:00:00,2024-02-05,completed\no2,c2,2024-02-02 11:00:00,2024-02-06,cancelled\n"
        "o4,c4,2024-02-03 12:00:00,2024-02-07,placed\n",
    )
    shop.write(
        "lines.csv",
        "order_id,line,product,pieces,price\no1,1,pen,2,1.50\no2,1,pen,10,1.45\no4,1,cap,1,7.25\no4,2,pen,1,1\n",
    )
    report = shop.load()
    assert moved(report, "customers") == (1, 1, 1, 1)
    assert moved(report, "orders") == (1, 1, 1, 1)
    assert moved(report, "order_items") == (2, 1, 2, 1)
    assert shop.crm("select customer_id, name from crm.customers order by 1") == [
        ("c1", "Ada"), ("c2", "Benno"), ("c4", "Dora"),
    ]  # fmt: skip
    assert shop.crm("select order_id, line_no, unit_price::float from crm.order_items order by 1, 2") == [
        ("o1", 1, 1.5), ("o2", 1, 1.45), ("o4", 1, 7.25), ("o4", 2, 1.0),
    ]  # fmt: skip
    assert shop.crm("select updated_at, xmin::text from crm.customers where customer_id = 'c1'") == untouched
    stamps = shop.crm("select updated_at from crm.orders where order_id in ('o2', 'o4')")
    assert min(stamp for (stamp,) in stamps) > loaded_at
    assert shop.load().table("orders").unchanged == 3


def test_first_fill_is_stamped_with_the_newest_event(shop: Any) -> None:
    shop.load()
    assert shop.crm("select updated_at from crm.orders where order_id = 'o1'") == [
        (datetime(2024, 2, 1, 10, tzinfo=UTC),)
    ]
    # lines have no moment of their own in these files: the newest event of the load stands for them
    assert shop.crm("select distinct updated_at from crm.order_items") == [(datetime(2024, 2, 3, 12, tzinfo=UTC),)]


def test_a_column_that_is_no_longer_mapped_is_emptied(shop: Any) -> None:
    shop.load()
    shop.map("customers", "select customer_id, since as created_at, _source_file, _row from customers")
    assert moved(shop.load(), "customers") == (0, 3, 0, 0)
    assert shop.crm("select count(name) from crm.customers") == [(0,)]


def test_columns_beyond_the_schema_are_kept(shop: Any) -> None:
    shop.map(
        "customers",
        "select customer_id, name, 7 as Shoe_Size, 'x' as nam, _source_file, _row from customers",
    )
    for _ in range(2):
        report = shop.load()
    assert shop.crm("select shoe_size, nam from crm.customers limit 1") == [("7", "x")]
    assert report.table("customers").unchanged == 3
    assert "nam (did you mean name?)" in "".join(report.notes)
    assert "shoe_size" in "".join(report.notes)


def test_jsonb_and_lists_survive_a_reload(shop: Any) -> None:
    shop.map(
        "leads",
        "select customer_id as lead_id, since as created_at, _source_file, _row, "
        "to_json({'zeta': name, 'a': {'long key': 1, 'b': [1, 2]}}) as attributes from customers",
    )
    shop.map("sales_reps", "select 'r' || _row as rep_id, ['sdr', 'sr'] as skills, _source_file, _row from customers")
    for _ in range(2):
        report = shop.load()
    assert (report.table("leads").unchanged, report.table("sales_reps").unchanged) == (3, 3)
    assert shop.crm("select attributes #>> '{a,b,1}', skills from crm.leads, crm.sales_reps limit 1") == [
        ("2", ["sdr", "sr"])
    ]
    shop.write("customers.csv", "customer_id,name,since\nc1,Eve,2024-01-01\nc2,Ben,2024-01-02\nc3,Cleo,2024-01-03\n")
    assert moved(shop.load(), "leads") == (0, 1, 0, 2)


def test_a_failed_load_leaves_everything(shop: Any) -> None:
    shop.load(run_id="good")
    state = [
        shop.crm(STAMPS),
        shop.quarantine(),
        shop.crm("select run_id, table_name from crm_ai.load_counts order by 2"),
    ]
    shop.write("customers.csv", "customer_id,name,since\nc9,Zoe,2024-01-01\n")
    with postgres.connect(autocommit=True) as crm:  # the last table to be written refuses
        crm.execute("alter table crm.order_items add check (quantity < 100)")
    shop.write("orders.csv", "order_id,customer_id,ordered_at,promised_at,state\no9,c9,2024-02-01,,placed\n")
    shop.write("lines.csv", "order_id,line,product,pieces,price\no9,1,pen,1000,1\n")
    with pytest.raises(CrmAgentsError, match="the CRM is as it was"):
        shop.load(run_id="bad")
    after = [
        shop.crm(STAMPS),
        shop.quarantine(),
        shop.crm("select run_id, table_name from crm_ai.load_counts order by 2"),
    ]
    assert after == state
    assert shop.crm("select count(*) from crm.customers where customer_id = 'c9'") == [(0,)]


def test_connection_lost_while_writing(shop: Any) -> None:
    shop.load()
    before = shop.crm(STAMPS)
    shop.write("customers.csv", "customer_id,name,since\nc9,Zoe,2024-01-01\n")

    def cut_the_line(step: str) -> None:
        if step == "writing crm.order_items":
            with postgres.connect("postgres", autocommit=True) as admin:
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = 'crm' and pid <> pg_backend_pid()"
                )

    with pytest.raises(CrmAgentsError, match="PostgreSQL did not take the load, and the CRM is as it was"):
        load(str(shop.folder), [shop.data], progress=cut_the_line)
    assert shop.crm(STAMPS) == before
    assert moved(shop.load(), "customers") == (1, 0, 3, 0)


def test_second_load_waits_and_says_so(shop: Any) -> None:
    shop.load()
    shop.write("customers.csv", "customer_id,name,since\nc1,Ada,2024-01-01\nc2,Benno,2024-01-01\n")
    first_has_begun, second_waits = threading.Event(), threading.Event()

    def first(step: str) -> None:
        first_has_begun.set()
        if step.startswith("writing"):
            assert second_waits.wait(60)

    def second(step: str) -> None:
        if "another load is under way" in step:
            second_waits.set()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(load, str(shop.folder), [shop.data], progress=first)
        assert first_has_begun.wait(60)
        two = pool.submit(load, str(shop.folder), [shop.data], progress=second)
        assert moved(one.result(120), "customers") == (0, 1, 1, 1)
        assert moved(two.result(120), "customers") == (0, 0, 0, 2)
    assert second_waits.is_set()


def test_quarantine_shows_the_last_load(shop: Any) -> None:
    good = (shop.data / "customers.csv").read_text()
    shop.write("customers.csv", good + "c1,Twice,2024-01-01\n")
    shop.load(run_id="first")
    shop.load(run_id="second")
    assert shop.crm("select run_id, count(*) from crm_ai.quarantine group by 1") == [("second", 1)]
    shop.load(run_id="second")
    assert shop.crm("select count(*) from crm_ai.load_counts where run_id = 'second'") == [(6,)]
    shop.write("customers.csv", good)
    shop.load()
    assert shop.quarantine() == []


def test_another_company_replaces_the_first(shop: Any) -> None:
    shop.load()
    shop.settings["name"] = "other_shop"
    shop.write("customers.csv", "customer_id,name,since\nc1,Ada,2024-01-01\n")
    shop.write("orders.csv", "order_id,customer_id,ordered_at,promised_at,state\n")
    shop.write("lines.csv", "order_id,line,product,pieces,price\n")
    report = shop.load()
    assert report.replaced == "shop"
    assert shop.crm("select (select count(*) from crm.customers), (select count(*) from crm.orders)") == [(1, 0)]
    # an ingest may have read up to the first company's newest event: these rows must lie behind it
    assert shop.crm("select min(updated_at) > now() - interval '1 hour' from crm.customers") == [(True,)]
    assert loaded_company().name == "other_shop"
    assert shop.load().replaced is None


def test_rows_of_a_person_are_not_swept_away(shop: Any) -> None:
    with postgres.connect() as crm:
        crm.execute("insert into crm.customers (customer_id, name) values ('real', 'A real customer')")
    with pytest.raises(CrmAgentsError, match=r"rows that no load has written \(in customers\)"):
        shop.load()
    assert shop.crm("select name from crm.customers") == [("A real customer",)]


def test_company_folder_is_kept(shop: Any) -> None:
    shop.write("notes.txt", "not a mapping", folder=shop.folder)
    shop.load()
    kept = load_settings().company_dir
    assert sorted(path.name for path in kept.iterdir()) == [
        "company.yml",
        "customers.sql",
        "order_items.sql",
        "orders.sql",
    ]
    assert loaded_company().last_event_on == date(2024, 12, 31)
    (shop.folder / "order_items.sql").unlink()
    report = shop.load()
    assert report.table("order_items").removed == 4
    assert not (kept / "order_items.sql").exists()
    assert list((load_settings().duckdb_dir / "spill").iterdir()) == []


def test_no_trace_of_the_password(shop: Any) -> None:
    shop.load()
    password = (load_settings().secrets_dir / "postgres_password").read_text().strip()
    assert stat.S_IMODE((load_settings().secrets_dir / "pgpass").stat().st_mode) == 0o600
    for path in load_settings().company_dir.iterdir():
        assert password not in path.read_text()


class TestTwoFolders:
    """A file found in two data folders is united by key."""

    @pytest.fixture
    def second(self, tmp_path: Path) -> Path:
        return tmp_path / "second"

    def test_united_by_key(self, shop: Any, second: Path) -> None:
        rows = "c3,Cleo,2024-01-03\nc1,ADA,2024-01-01\nc4,Dora,2024-01-04\n"
        shop.write("customers.csv", f"customer_id,name,since\n{rows}", folder=second)
        report = shop.load([shop.data, second])
        assert shop.crm("select customer_id, name from crm.customers order by 1") == [
            ("c1", "Ada"), ("c2", "Ben"), ("c3", "Cleo"), ("c4", "Dora"),
        ]  # fmt: skip
        assert shop.quarantine() == [
            (
                "(no table)",
                "second/customers.csv",
                2,
                "name differs from 'row 1 of data/customers.csv', which comes first",
            )
        ]
        counts = {file.file: (file.read, file.used, file.quarantined, file.repeated) for file in report.files}
        assert counts["data/customers.csv"] == (3, 3, 0, 0)
        assert counts["second/customers.csv"] == (3, 2, 1, 1)
        assert counts["orders.csv"] == (3, 3, 0, 0)

    def test_only_declared_columns_are_compared(self, shop: Any, second: Path) -> None:
        shop.source("customers")["columns"] = ["customer_id", "name", "since"]
        shop.write("customers.csv", "customer_id,name,since,colour\nc1,Ada,2024-01-01,red\n", folder=second)
        report = shop.load([shop.data, second])
        assert [file.repeated for file in report.files if file.file == "second/customers.csv"] == [1]

    def test_equal_row_shares_the_fate_of_the_first(self, shop: Any, second: Path) -> None:
        bad = "customer_id,name,since\nc1,Ada,2024-02-31\n"
        shop.write("customers.csv", bad)
        shop.write("customers.csv", bad, folder=second)
        report = shop.load([shop.data, second])
        assert [(file.used, file.quarantined) for file in report.files if "customers" in file.file] == [(0, 1), (0, 1)]
        assert ("(no table)", "second/customers.csv", 1) in [row[:3] for row in shop.quarantine()]

    def test_rows_of_both_folders_in_one_crm_row(self, shop: Any, second: Path) -> None:
        shop.write(
            "orders.csv",
            "order_id,customer_id,ordered_at,promised_at,state\n"
            "o4,c1,2024-03-01,,placed\no5,c1,2024-03-02,,placed\no6,bad,2024-03-02,,placed\no1,c1,,,\n",
            folder=second,
        )
        shop.map(
            "customers",
            "select customer_id, min(ordered_at) as created_at, any_value(_source_file) as _source_file, "
            "list(_row) as _row, case when customer_id = 'bad' then 'a bad customer' end as _reject "
            "from orders where customer_id is not null group by customer_id",
        )
        for table in ("orders", "order_items"):
            (shop.folder / f"{table}.sql").unlink()
        report = shop.load([shop.data, second])
        counts = {file.file: (file.read, file.used, file.quarantined) for file in report.files}
        assert counts["data/orders.csv"] == (3, 2, 1)
        assert counts["second/orders.csv"] == (4, 2, 2)
        assert [row[:3] for row in shop.quarantine() if "orders.csv" in row[1]] == [
            ("(no table)", "data/orders.csv", 3),
            ("(no table)", "second/orders.csv", 4),
            ("customers", "second/orders.csv", 3),
        ]
        assert shop.crm("select row ->> 'order_id' from crm_ai.quarantine where table_name = 'customers'") == [("o6",)]

    def test_without_a_key(self, shop: Any, second: Path) -> None:
        shop.source("orders").pop("key")
        shop.write("orders.csv", "order_id,customer_id,ordered_at,promised_at,state\n", folder=second)
        with pytest.raises(CrmAgentsError, match=r"orders\.csv is in 2 data folders.*`key`"):
            shop.load([shop.data, second])
