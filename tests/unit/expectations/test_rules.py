"""Every rule of every gate: good rows pass it, rows made to break it fail it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import pytest

from expectations import arrival, features, marts
from expectations.gate import Check, judge
from expectations.rules import CRITICAL, PERSONAL_COLUMNS, WARNING, KeyRule, Rule, Suite, present
from expectations.scope import Scope

# as tests/unit/expectations/conftest.py fills the tables
AS_OF = date(2024, 6, 30)
ROWS = 40

STAGES = {"arrival": arrival.SUITES, "marts": marts.SUITES, "features": features.SUITES}
CASES = [
    pytest.param(suite, rule, id=f"{suite.schema}.{suite.table}-{rule.name}")
    for suites in STAGES.values()
    for suite in suites
    for rule in suite.all_rules()
]

# The ways to break a rule, by the end of its name.
BREAKING_VALUES = {
    "_present": "null",
    "_known": "'unheard of'",
    "_not_in_future": "'2024-07-03'",
    "_well_formed": "'no address'",
    "_is_code": "'Euro'",
    "_is_the_companys": "'USD'",
    "_plausible": "-2000000000",
    "_finite": "null",
}
BREAKING_STATEMENTS = {
    "rows_as_in_raw": "delete from {table} where rowid = 0",
    "as_of_is_there": "delete from {table}",
    "customers_are_complete": "delete from {table} where rowid = 0",
    "no_label_among_features": "alter table {table} add column purchases_next double",
    "customer_or_lead_present": "update {table} set customer_id = null",
    "stage_agrees_with_is_won": "update {table} set is_won = false",
    "purchase_has_customer": "update {table} set customer_id = null where rowid = 0",
    "revenue_not_negative": "update {table} set revenue_amount = -1",
    "recency_goes_with_purchases": "update {table} set recency_days = null",
    "windows_are_nested": "update {table} set purchases_30d = 3",
}


def scope(conditions: dict[str, str] | None = None) -> Scope:
    """All rows, with a known currency and volume."""
    conditions = {"as_of": f"as_of = date '{AS_OF}'"} if conditions is None else conditions
    typical = {suite.table: float(ROWS) for suite in arrival.SUITES}
    return Scope(AS_OF, conditions, typical_rows=typical, currency="EUR")


def break_rule(connection: duckdb.DuckDBPyConnection, suite: Suite, rule: Rule) -> None:
    table = f"lake.{suite.schema}.{suite.table}"
    if isinstance(rule, KeyRule):
        connection.execute(f"insert into {table} from {table} where rowid = 0")
    elif rule.name == "columns_as_declared":
        connection.execute(f"alter table {table} rename column {list(suite.needed_columns())[-1]} to renamed")
    elif rule.name == "volume_as_usual":
        connection.execute(f"delete from {table} where rowid > 0")
    elif rule.name in BREAKING_STATEMENTS:
        connection.execute(BREAKING_STATEMENTS[rule.name].format(table=table))
    elif "_not_before_" in rule.name:
        later, earlier = rule.name.split("_not_before_")
        connection.execute(f"update {table} set {later} = {earlier} - interval 1 day")
    else:
        ending = next(ending for ending in BREAKING_VALUES if rule.name.endswith(ending))
        column = rule.name.removesuffix(ending)
        connection.execute(f"update {table} set {column} = {BREAKING_VALUES[ending]}")


def outcome(connection: duckdb.DuckDBPyConnection, suite: Suite, asked: Scope | None = None) -> dict[str, Check]:
    return {check.rule: check for check in judge(connection, [suite], asked or scope()).checks}


@pytest.mark.parametrize("stage", STAGES)
def test_good_rows_pass_every_rule(connection: duckdb.DuckDBPyConnection, stage: str) -> None:
    judgement = judge(connection, STAGES[stage], scope())
    assert [check for check in judgement.checks if not check.success] == []
    assert len(judgement.checks) == sum(len(suite.all_rules()) for suite in STAGES[stage])


@pytest.mark.parametrize(("suite", "rule"), CASES)
def test_broken_rows_fail_the_rule(connection: duckdb.DuckDBPyConnection, suite: Suite, rule: Rule) -> None:
    break_rule(connection, suite, rule)
    asked = scope({}) if rule.name == "as_of_present" else scope()
    alone = replace(
        suite, rules=tuple(other for other in suite.rules if other is rule or rule.name == "columns_as_declared")
    )
    check = outcome(connection, alone, asked)[rule.name]
    assert not check.success
    assert check.severity == rule.severity
    assert check.unexpected is None or check.unexpected > 0
    if check.sql:
        assert connection.execute(check.sql).fetchall()


def test_a_tolerated_share_passes_and_is_told(connection: duckdb.DuckDBPyConnection) -> None:
    orders = next(suite for suite in arrival.SUITES if suite.table == "orders")
    connection.execute(f"update lake.raw.orders set customer_id = null where rowid < {ROWS // 2}")
    check = outcome(connection, orders)["customer_id_present"]
    assert (check.success, check.unexpected, check.observed) == (True, 20, "20 of 40 rows (50.00 %)")
    connection.execute(f"update lake.raw.orders set customer_id = null where rowid <= {ROWS // 2}")
    assert not outcome(connection, orders)["customer_id_present"].success


@pytest.mark.parametrize(("moment", "passes"), [("2024-07-01 23:59:59+00", True), ("2024-07-02 00:00:00+00", False)])
def test_future_begins_with_the_second_day_after_as_of(
    connection: duckdb.DuckDBPyConnection, moment: str, passes: bool
) -> None:
    orders = next(suite for suite in arrival.SUITES if suite.table == "orders")
    connection.execute(f"update lake.raw.orders set ordered_at = timestamptz '{moment}', delivered_at = null")
    assert outcome(connection, orders)["ordered_at_not_in_future"].success is passes


def test_an_empty_value_is_no_text(connection: duckdb.DuckDBPyConnection) -> None:
    orders = next(suite for suite in arrival.SUITES if suite.table == "orders")
    connection.execute("update lake.raw.orders set order_id = '' where rowid = 3")
    check = outcome(connection, orders)["order_id_present"]
    assert (check.success, check.unexpected, check.examples) == (False, 1, ("(blank)",))


def test_tombstones_and_other_batches_are_not_looked_at(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "insert into lake.raw.orders (order_id, _batch, _deleted) values ('gone', 1, true), ('old', 0, false)"
    )
    asked = Scope(AS_OF, {"_batch": "_batch = 1", "_deleted": "_deleted is not true"}, currency="EUR")
    orders = next(suite for suite in arrival.SUITES if suite.table == "orders")
    assert all(check.success for check in outcome(connection, orders, asked).values())


def test_a_table_that_is_not_there_has_no_checks(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("drop table lake.raw.tickets")
    judgement = judge(connection, arrival.SUITES, scope())
    assert "raw.tickets" not in judgement.tables
    assert len(judgement.tables) == len(arrival.SUITES) - 1


def test_a_lost_column_is_one_finding_and_the_other_rules_still_run(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("alter table lake.raw.orders drop column status")
    connection.execute("alter table lake.raw.orders alter ordered_at type varchar")
    orders = next(suite for suite in arrival.SUITES if suite.table == "orders")
    checks = outcome(connection, orders)
    failed = [check for check in checks.values() if not check.success]
    assert [check.rule for check in failed] == ["columns_as_declared"]
    assert failed[0].observed == "ordered_at is VARCHAR, not timestamptz; status is missing"
    assert {"status_known", "ordered_at_not_in_future"}.isdisjoint(checks)
    assert checks["currency_is_code"].success


def test_an_ingest_after_the_build_does_not_stop_the_marts(connection: duckdb.DuckDBPyConnection) -> None:
    rows = next(suite for suite in marts.SUITES if suite.table == "fct_orders")
    connection.execute("update lake.raw.orders set _batch = 2 where rowid < 5")
    connection.execute("insert into lake.raw.orders (order_id, _batch, _deleted) values ('new', 2, false)")
    assert outcome(connection, rows)["rows_as_in_raw"].success
    connection.execute("delete from lake.marts.fct_orders where rowid >= 30")
    assert not outcome(connection, rows)["rows_as_in_raw"].success


def test_rows_of_another_day_are_not_those_to_be_scored(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"update lake.features.ftr_customers set as_of = date '{date(2024, 5, 31)}'")
    checks = outcome(connection, features.SUITES[0])
    failed = {check.rule for check in checks.values() if not check.success}
    assert failed == {"as_of_is_there", "customers_are_complete"}


def test_a_duplicate_is_found_among_many(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "insert into lake.raw.order_items (order_id, line_no, product_id, quantity, unit_price, _batch, _deleted, updated_at) "
        "select 'big' || (i // 5), i % 5, 'P1', 1, 1, 1, false, timestamptz '2024-06-01' from range(200000) t(i) "
        "union all select 'big7', 3, 'P1', 1, 1, 1, false, timestamptz '2024-06-01'"
    )
    items = next(suite for suite in arrival.SUITES if suite.table == "order_items")
    check = outcome(connection, items)["key_unique"]
    assert (check.success, check.unexpected, check.examples) == (False, 1, ("big7/3",))


def test_examples_are_keys_and_never_mail_addresses(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update lake.raw.customers set customer_id = 'ada@example.com' where rowid = 0")
    connection.execute("update lake.raw.customers set kind = 'robot'")
    customers = next(suite for suite in arrival.SUITES if suite.table == "customers")
    check = outcome(connection, customers)["kind_known"]
    assert len(check.examples) == 5
    assert not any("@" in key or "Ada" in key for key in check.examples)
    connection.execute("update lake.raw.customers set kind = 'person' where rowid > 0")
    assert outcome(connection, customers)["kind_known"].examples == ("(withheld)",)


def test_a_personal_column_cannot_be_a_key() -> None:
    with pytest.raises(ValueError, match="email"):
        Suite("raw", "people", {"email": "text"})


def test_two_rules_cannot_share_a_name() -> None:
    with pytest.raises(ValueError, match="kind_present"):
        Suite("raw", "people", {}, (present("kind"), present("kind", severity=WARNING)))


def test_keys_are_critical_and_not_personal() -> None:
    for suites in STAGES.values():
        for suite in suites:
            assert PERSONAL_COLUMNS.isdisjoint(suite.key)
            of_key = {f"{column}_present" for column in suite.key} | {"key_unique"}
            assert all(rule.severity == CRITICAL for rule in suite.all_rules() if rule.name in of_key)
