"""The gates on a real lake: what they look at, what they leave behind, and what they never leave behind."""

from __future__ import annotations

import json
import re
import socket
from datetime import date
from pathlib import Path

import pytest

from crm_agents import gates, ingest, lake, postgres
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError

AS_OF = date(2024, 6, 30)

CRM = """
    insert into crm.customers (customer_id, kind, name, email, phone, birth_on, created_at, updated_at)
    select 'C' || i, 'person', 'Zebedee Quill', 'zebedee.quill@example.com', '+49 30 5550' || i, '1971-02-03',
        '2024-01-01', '2024-06-01'
    from generate_series(1, 30) i;
    insert into crm.orders (order_id, customer_id, ordered_at, status, channel, currency, updated_at)
    select 'O' || i, 'C' || i, '2024-05-01', 'placed', 'web', 'EUR', '2024-06-01' from generate_series(1, 30) i;
    insert into crm.order_items (order_id, line_no, product_id, quantity, unit_price, discount, freight, updated_at)
    select 'O' || i, 1, 'P1', 2, 9.5, 0, 1, '2024-06-01' from generate_series(1, 30) i;
    insert into crm.tickets (ticket_id, customer_id, opened_at, channel, status, subject, body, updated_at)
    values ('T1', 'C1', '2024-05-01', 'phone', 'open', 'My parcel, Quill', 'Call 5550', '2024-06-01');
"""
PERSONAL = ("Zebedee", "Quill", "example.com", "5550", "1971")


@pytest.fixture
def arrived(installation: Path) -> Path:
    """The home of an installation into whose lake a first batch of good rows has been ingested."""
    with postgres.connect() as crm:
        crm.execute(CRM)
    assert ingest.run(run_id="first").batch_id == 1
    return installation


def in_lake(*statements: str) -> None:
    with lake.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def add_orders(values: str, batch: int = 1) -> None:
    in_lake(
        f"insert into raw.orders by name select *, timestamptz '2024-06-01' as updated_at, {batch} as _batch, "
        f"false as _deleted from (values {values}) t(order_id, customer_id, ordered_at, status, currency)"
    )


def arrival(batch: int = 1, **arguments: object) -> gates.GateReport:
    return gates.check_arrival(run_id="run-1", as_of=AS_OF, batch_id=batch, **arguments)  # type: ignore[arg-type]


def results(run_id: str = "run-1") -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(
            "select stage, suite, expectation, table_name, severity, success, unexpected_count, observed, as_of "
            "from crm_ai.quality_results where run_id = %s order by 1, 2, 3",
            [run_id],
        ).fetchall()


def test_good_rows_pass_and_every_rule_leaves_a_row(arrived: Path) -> None:
    report = arrival()
    report.raise_if_critical()
    assert report.failed_warning == ()
    assert {check.table for check in report.checks} == {"raw.customers", "raw.orders", "raw.order_items", "raw.tickets"}
    assert len(results()) == len(report.checks)
    assert ("arrival", "orders", "key_unique", "raw.orders", "critical", True, 0, "0 of 30 rows", AS_OF) in results()


def test_critical_stops_warning_goes_on_and_both_leave_rows(arrived: Path) -> None:
    add_orders("('W1', 'C1', timestamptz '2024-05-01', 'placed', 'euro')")
    arrival().raise_if_critical()
    add_orders(
        "('X1', 'C1', timestamptz '2024-05-01', 'on hold', 'EUR'), ('O3', 'C1', timestamptz '2024-05-01', 'placed', 'EUR')"
    )
    report = arrival()
    with pytest.raises(CrmAgentsError, match="X1") as stopped:
        report.raise_if_critical()
    assert "O3" in str(stopped.value)
    failed = {(row[2], row[4]): row[6:8] for row in results() if not row[5]}
    assert failed == {
        ("key_unique", "critical"): (1, "1 of 33 rows (3.03 %), for example O3"),
        ("status_known", "critical"): (1, "1 of 33 rows (3.03 %), for example X1"),
        ("currency_is_code", "warning"): (1, "1 of 33 rows (3.03 %), for example W1"),
    }


def test_running_twice_gives_the_same_rows(arrived: Path) -> None:
    add_orders("('W1', 'C1', timestamptz '2024-05-01', 'placed', 'euro')")
    arrival()
    first = results()
    assert first
    arrival()
    assert results() == first


def test_no_personal_value_is_kept_anywhere(arrived: Path) -> None:
    in_lake(
        "update raw.customers set email = 'zebedee quill', kind = 'Zebedee', birth_on = date '2071-02-03'",
        "update raw.tickets set status = 'Quill', channel = '5550'",
        "update raw.customers set customer_id = 'quill@example.com' where customer_id = 'C1'",
    )
    report = arrival()
    broken = {check.rule for check in report.checks if not check.success}
    assert broken >= {"email_well_formed", "kind_known", "birth_on_not_in_future", "status_known"}
    gates.build_data_docs("run-1")
    files = [path for folder in ("quality", "data_docs") for path in (arrived / folder).rglob("*") if path.is_file()]
    assert len(files) == 3
    kept = "\n".join([*(path.read_text() for path in files), str(results()), str(report.summary()), repr(report)])
    assert "C10" in kept
    for value in PERSONAL:
        assert value.lower() not in kept.lower()


def test_without_new_rows_nothing_is_checked(arrived: Path) -> None:
    report = arrival(batch=2, after_batch=1)
    report.raise_if_critical()
    assert report.checks == ()
    assert results() == []
    gates.build_data_docs("run-1")
    assert "No table had rows" in report.page.read_text()


def test_a_single_row_is_seen(arrived: Path) -> None:
    # the lake keeps an insert this small in its catalog: there is no file to be counted
    add_orders("('X1', 'C1', timestamptz '2024-05-01', 'on hold', 'EUR')", batch=2)
    report = arrival(batch=2, after_batch=1)
    assert {check.table for check in report.checks} == {"raw.orders"}
    assert [check.examples for check in report.failed_critical] == [("X1",)]


def test_a_stopped_batch_does_not_pass_behind_the_next(arrived: Path) -> None:
    add_orders("('X1', 'C1', timestamptz '2024-05-01', 'on hold', 'EUR')", batch=2)
    add_orders("('O99', 'C1', timestamptz '2024-05-01', 'placed', 'EUR')", batch=3)
    assert arrival(batch=3).failed_critical[0].examples == ("X1",)
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.agent_runs (run_id, agent, status, batch_id, as_of) "
            "values ('b', 'build_marts', 'done', 2, '2024-06-30')"
        )
    report = arrival(batch=3)
    assert report.failed_critical == ()
    assert next(check.observed for check in report.checks if check.rule == "key_unique") == "0 of 1 rows"


def test_a_batch_of_unusual_size_is_told(arrived: Path) -> None:
    def remember(batches: int) -> None:
        with postgres.connect() as crm:
            crm.execute(
                "insert into crm_ai.ingest_counts select 'r' || b, 'orders', b, 1000, 0, 0, 1 from generate_series(2, %s) b",
                [batches + 1],
            )

    add_orders("('O99', 'C1', timestamptz '2024-05-01', 'placed', 'EUR')", batch=9)
    assert "volume_as_usual" not in {check.rule for check in arrival(batch=9, after_batch=8).checks}
    remember(batches=5)
    report = arrival(batch=9, after_batch=8)
    assert [check.observed for check in report.failed_warning] == ["1 rows; a typical batch has 1,000"]


def test_amounts_in_another_currency_are_told(arrived: Path) -> None:
    add_orders("('O99', 'C1', timestamptz '2024-05-01', 'placed', 'USD')")
    report = arrival(company=Company(name="acme", title="Acme", currency="EUR"))
    assert [check.rule for check in report.failed_warning] == ["currency_is_the_companys"]


def build_marts_by_hand() -> None:
    numbers = sorted(
        column
        for suite in _feature_suites()
        for column, family in suite.needed_columns().items()
        if family == "number" and not column.endswith("_share")
    )
    in_lake(
        "create table marts.fct_orders as select order_id, customer_id, ordered_at, 19.0::decimal(38, 4) as "
        "revenue_amount, true as is_purchase, _batch from raw.orders",
        "create table marts.fct_order_items as select order_id, line_no, _batch from raw.order_items",
        "create table marts.dim_customers as select customer_id, created_at::date as created_on, _batch from raw.customers",
        f"create table features.ftr_customers as select customer_id, date '{AS_OF}' as as_of, true as has_purchased, "
        + ", ".join(f"1::double as {column}" for column in numbers)
        + ", 0::double as cancellation_share, 0::double as discount_share, _batch from raw.customers",
    )


def _feature_suites() -> tuple:
    from expectations.features import SUITES

    return SUITES


def test_marts_and_features(arrived: Path) -> None:
    with pytest.raises(CrmAgentsError, match="no table marts"):
        gates.check_marts(run_id="run-1", as_of=AS_OF)
    build_marts_by_hand()
    for check in (gates.check_marts, gates.check_features):
        report = check(run_id="run-1", as_of=AS_OF)
        assert [check for check in report.checks if not check.success] == []
    assert {row[0] for row in results()} == {"marts", "features"}

    in_lake(
        "insert into marts.fct_orders from marts.fct_orders limit 1",
        "delete from features.ftr_customers where customer_id = 'C7'",
    )
    stopped = gates.check_marts(run_id="run-1", as_of=AS_OF).failed_critical
    assert {check.rule for check in stopped} == {"key_unique", "rows_as_in_raw"}
    stopped = gates.check_features(run_id="run-1", as_of=AS_OF).failed_critical
    assert [(check.rule, check.unexpected) for check in stopped] == [("customers_are_complete", 1)]


def test_only_changed_rows_of_the_marts(arrived: Path) -> None:
    build_marts_by_hand()
    in_lake("update features.ftr_customers set _batch = 2, recency_days = -1 where customer_id = 'C7'")
    report = gates.check_features(run_id="run-1", as_of=AS_OF, after_batch=1)
    broken = {check.rule: check for check in report.failed_critical}
    assert broken["recency_days_plausible"].observed == "1 of 1 rows (100.00 %), for example C7/2024-06-30"


def test_pages_can_be_read_without_a_network_and_run_nothing(arrived: Path) -> None:
    add_orders("('<script>alert(1)</script>', 'C1', timestamptz '2024-05-01', 'on <b>hold', 'EUR')")
    report = arrival()
    index = gates.build_data_docs()
    pages = [page.read_text() for page in index.parent.rglob("*.html")]
    assert len(pages) == 2
    for page in pages:
        assert not re.search(r"<script|<b>|https?://|<link|<img", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in report.page.read_text()
    assert "No two rows of orders have the same order_id" in report.page.read_text()
    linked = re.findall(r'href="([^"]+)"', index.read_text())
    assert [(index.parent / link).resolve() for link in linked] == [report.page.resolve()]


def test_old_runs_are_forgotten(arrived: Path) -> None:
    from expectations.data_docs import KEPT_RUNS

    arrival()
    kept = json.loads((arrived / "quality" / "run-1" / "arrival.json").read_text())
    for number in range(KEPT_RUNS + 3):
        folder = arrived / "quality" / f"later-{number:03}"
        folder.mkdir()
        (folder / "arrival.json").write_text(json.dumps(kept | {"run_id": folder.name}))
    gates.build_data_docs("run-1")
    assert len(list((arrived / "quality").iterdir())) == KEPT_RUNS
    assert not (arrived / "quality" / "run-1").exists()


def test_great_expectations_calls_nobody(arrived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: called.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: called.append(arguments))
    arrival()
    gates.build_data_docs("run-1")
    assert called == []
