"""dbt's own tests (each business rule on a few rows, rules over whole tables), and the questions of docs/marts.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm_agents import lake, marts, postgres
from crm_agents.marts.running import run_dbt
from crm_agents.settings import PROJECT_ROOT, load_settings
from tests.raw_lake import AS_OF, COMPANY, RawLake

RESULTS = """
    select expectation, table_name, severity, success, unexpected_count, as_of from crm_ai.quality_results
    where run_id = %s and stage = 'dbt_tests'
"""


def results(run_id: str) -> dict[str, tuple]:
    with postgres.connect() as crm:
        return {row[0]: row[1:] for row in crm.execute(RESULTS, [run_id]).fetchall()}


def test_rules_hold_and_a_broken_one_is_found(installation: Path) -> None:
    raw = RawLake()
    raw.arrive("customers", "customer_id created_at", ("ada", "2024-01-01"))
    raw.arrive("orders", "order_id customer_id ordered_at status", ("o1", "ada", "2024-02-01", "completed"))
    raw.arrive("orders", "order_id customer_id ordered_at status", ("o2", "nobody", "2024-02-01", "refunded"))
    raw.arrive("order_items", "order_id line_no product_id quantity unit_price", ("o1", 1, "pen", 2, 5))
    raw.build()

    page = (PROJECT_ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
    questions = re.findall(r"```sql\n(.*?)```", page, flags=re.DOTALL)
    assert len(questions) > 15
    for question in questions:
        raw.query(question)

    units = marts.unit_tests(as_of=AS_OF, run_id="units", company=COMPANY)
    assert set(units.summary()) == {"pass"}
    assert len(units.nodes) >= 7

    tested = marts.test(as_of=AS_OF, run_id="good", company=COMPANY)  # warnings do not fail
    rows = results("good")
    assert len(rows) == len(tested.nodes) > 80
    assert rows["no_row_is_lost"] == ("marts.dim_customers", "critical", True, 0, AS_OF)
    warnings = {name: row for name, row in rows.items() if not row[2]}
    assert {row[0] for row in warnings.values()} == {
        "marts.fct_orders",
        "marts.fct_order_items",
        "marts.fct_sales_daily",
    }
    assert {row[1] for row in warnings.values()} == {"warning"}

    raw.query("update lake.marts.fct_order_items set gross_amount = 11")
    with pytest.raises(marts.BuildError, match=r"Test .* failed"):
        marts.test(as_of=AS_OF, run_id="bad", company=COMPANY)
    broken = {name for name, row in results("bad").items() if row[1] == "critical" and not row[2]}
    assert broken == {
        "order_lines_keep_their_totals",
        "orders_add_up_their_lines_and_payments",
        "daily_sales_add_up_the_lines",
    }


def test_tests_see_the_lake_as_it_was_and_hold_up_no_build(installation: Path) -> None:
    raw = RawLake()
    raw.arrive("customers", "customer_id created_at", ("ada", "2024-01-01"))
    raw.arrive("orders", "order_id customer_id ordered_at status", ("o1", "ada", "2024-02-01", "completed"))
    raw.arrive("order_items", "order_id line_no product_id quantity unit_price", ("o1", 1, "pen", 2, 5))
    raw.build()
    settings = load_settings()
    with lake.connect() as connection:
        snapshot = lake.current_snapshot(connection)
    raw.query("update lake.marts.fct_order_items set gross_amount = 11")
    command = ["test", "--select", "order_lines_keep_their_totals"]
    found = {
        seen: run_dbt(command, {"as_of": AS_OF.isoformat()}, settings, threads=1, snapshot=seen)[0][0].status
        for seen in (snapshot, None)
    }
    assert found == {snapshot: "pass", None: "fail"}
