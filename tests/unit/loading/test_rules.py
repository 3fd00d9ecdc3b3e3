"""The rules speak of tables and columns that exist, and owners come before what they own."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents.crm_schema import crm_tables
from crm_agents.loading.files import nearest
from crm_agents.loading.rules import JSON_COLUMNS, OWNERS, PLANNED, VOCABULARIES, event_columns, owners_first, owners_of

DOCS = Path(__file__).resolve().parents[3] / "docs" / "crm_schema.md"


def test_rules_name_columns_of_the_schema() -> None:
    tables = crm_tables()
    for table, column in [*VOCABULARIES, *OWNERS, *JSON_COLUMNS]:
        assert column in tables[table].columns
    for (_, column), owner in OWNERS.items():
        assert tables[owner].key == (column,)
    assert {column for table in tables.values() for column in table.columns} >= PLANNED


def test_owners_first() -> None:
    order = owners_first()
    assert sorted(order) == sorted(crm_tables())
    for table in order:
        assert all(order.index(owner) < order.index(table) for owner in owners_of(table).values())


def test_planned_dates_are_no_events() -> None:
    assert event_columns(crm_tables()["orders"]) == ["ordered_at", "delivered_at", "updated_at"]
    assert event_columns(crm_tables()["campaigns"]) == ["updated_at"]
    assert "birth_on" in event_columns(crm_tables()["customers"])


@pytest.mark.parametrize("table", crm_tables())
def test_the_schema_page_names_every_column_and_word(table: str) -> None:
    page = DOCS.read_text()
    section = page[page.index(f"### {table}\n") :].split("\n### ", 1)[0]
    for column in crm_tables()[table].columns:
        assert f"`{column}`" in section
    for (owner, _), words in VOCABULARIES.items():
        if owner == table:
            assert all(word in section or word in page[page.index("## Vocabularies") :] for word in words)


@pytest.mark.parametrize(
    ("missing", "present", "expected"),
    [
        ("price", ["pieces", "unit_price"], "unit_price"),
        ("ordered_at", ["order_id", "orderd_at"], "orderd_at"),
        ("customer_id", ["CustomerID", "Country"], "CustomerID"),
        ("price", ["a", "b"], None),
    ],
)
def test_nearest_column(missing: str, present: list[str], expected: str | None) -> None:
    assert nearest(missing, present) == expected
