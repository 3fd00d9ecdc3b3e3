"""Reading text as the CRM's types: what is certain is read, everything else is handed on or refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from crm_agents.loading import casts


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        casts.define_macros(connection)
        yield connection


def read(connection: duckdb.DuckDBPyConnection, text: str, wanted: str) -> tuple[str | None, bool]:
    """Return the value as text, and whether the loader would refuse it."""
    cleaned = casts.cleaned("given", "VARCHAR", wanted)
    sql = f"""select read::varchar, coalesce({casts.unreadable("clean", "read", wanted)}, false)
        from (select *, {casts.read_as("clean", "VARCHAR", wanted)} as read
              from (select {cleaned} as clean from (select ? as given)))"""
    row = connection.execute(sql, [text]).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-04", "2024-03-04 00:00:00+00"),
        (" 2024-03-04 05:06 ", "2024-03-04 05:06:00+00"),
        ("2024-03-04T05:06:07Z", "2024-03-04 05:06:07+00"),
        ("2024-03-04 05:06:07+02", "2024-03-04 03:06:07+00"),
        ("2024/03/04", "2024-03-04 00:00:00+00"),
        ("20240304", "2024-03-04 00:00:00+00"),
        ("04.03.2024", "2024-03-04 00:00:00+00"),
        ("4.3.2024 5:06", "2024-03-04 05:06:00+00"),
        ("4 Mar 2024", "2024-03-04 00:00:00+00"),
        ("March 4, 2024", "2024-03-04 00:00:00+00"),
        ("25/03/2024", "2024-03-25 00:00:00+00"),
        ("03/25/2024 02:05 PM", "2024-03-25 14:05:00+00"),
        ("05-05-2024", "2024-05-05 00:00:00+00"),
        ("", None),
        ("   ", None),
    ],
)
def test_dates_that_can_be_read_in_one_way(connection: Any, text: str, expected: str | None) -> None:
    assert read(connection, text, "TIMESTAMPTZ") == (expected, False)


@pytest.mark.parametrize(
    "text",
    ["03/04/2024", "3-4-2024", "2024-02-30", "31.02.2024", "04.03.24", "1/1/24", "infinity", "soon", "44561", "2024"],
)
def test_dates_that_are_refused(connection: Any, text: str) -> None:
    assert read(connection, text, "TIMESTAMPTZ")[1]
    assert read(connection, text, "DATE")[1]


@pytest.mark.parametrize(
    ("text", "wanted", "expected"),
    [
        ("12.50", "DECIMAL(18, 4)", "12.5000"),
        ("-3", "DECIMAL(18, 4)", "-3.0000"),
        ("1e2", "DECIMAL(18, 4)", "100.0000"),
        ("7", "INTEGER", "7"),
        ("7.0", "INTEGER", "7"),
        ("true", "BOOLEAN", "true"),
        ("Yes", "BOOLEAN", "true"),
        ("0", "BOOLEAN", "false"),
        ('{"a": [1]}', "JSON", '{"a": [1]}'),
        ("[sdr, sr]", "VARCHAR[]", "[sdr, sr]"),
        (" as it is ", "VARCHAR", " as it is "),
    ],
)
def test_values(connection: Any, text: str, wanted: str, expected: str) -> None:
    assert read(connection, text, wanted) == (expected, False)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("12,50", "DECIMAL(18, 4)"),
        ("12.50 EUR", "DECIMAL(18, 4)"),
        ("nan", "DECIMAL(18, 4)"),
        ("99999999999999999999", "DECIMAL(18, 4)"),
        ("7.5", "INTEGER"),
        ("3000000000", "INTEGER"),
        ("maybe", "BOOLEAN"),
        ("{bad", "JSON"),
    ],
)
def test_values_that_are_refused(connection: Any, text: str, wanted: str) -> None:
    assert read(connection, text, wanted)[1]


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("12,50 EUR", ",", "12.50"),
        ("€ 1.234,56", ",", "1234.56"),
        ("-5,00", ",", "-5.00"),
        ("1 234,50 kr", ",", "1234.50"),
        ("1.234", ",", "1234"),
        ("$1,234.50", ".", "1234.50"),
        ("EUR 12", ".", "12"),
        ("1'234.50", ".", "1234.50"),
        ("12.50EUR", ".", "12.50"),
        ("EUR-12.50", ".", "-12.50"),
        ("- 12.50 kr.", ",", "- 12.50 kr."),
        ("R$ -12,50", ",", "-12.50"),
        # not an amount in that notation: handed on as it is, for the loader to refuse
        ("12,50", ".", "12,50"),
        ("12.50", ",", "12.50"),
        ("(12)", ".", "(12)"),
        ("12-50", ".", "12-50"),
        ("free", ".", "free"),
        # a letter for a digit is not an amount either
        ("12,5O EUR", ",", "12,5O EUR"),
        ("12.5O", ".", "12.5O"),
        ("1O", ".", "1O"),
        ("€ l2.50", ".", "€ l2.50"),
        ("12.5OO", ".", "12.5OO"),
        ("12.5OOO", ".", "12.5OOO"),
    ],
)
def test_money(connection: Any, text: str, mark: str, expected: str) -> None:
    assert connection.execute("select money(?, decimal_mark := ?)", [text, mark]).fetchone() == (expected,)


def test_day_first_and_month_first_hand_on_what_they_cannot_read(connection: Any) -> None:
    sql = "select day_first(?), month_first(?)"
    assert connection.execute(sql, 2 * ["03/04/2024"]).fetchone() == ("2024-04-03 00:00:00", "2024-03-04 00:00:00")
    assert connection.execute(sql, 2 * ["25/03/2024 14:05"]).fetchone() == ("2024-03-25 14:05:00", "25/03/2024 14:05")
    for text in ("2024-03-04", "soon", "infinity", "3/4/24"):
        assert connection.execute(sql, 2 * [text]).fetchone() == (text, text)
