"""The pages about tables say what is there: every table, key and column, and SQL that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crm_agents import postgres

DOCS = Path(__file__).resolve().parents[2] / "docs"


def sections() -> dict[str, str]:
    text = (DOCS / "output_tables.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\w+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_table_key_and_column_is_described(installation: Path) -> None:
    with postgres.connect() as crm:
        tables = crm.execute(
            "select table_name, array_agg(column_name::text) from information_schema.columns "
            "where table_schema = 'crm_ai' group by table_name"
        ).fetchall()
        keys = dict(
            crm.execute(
                """
                select conrelid::regclass::text, array(
                    select attname::text from unnest(conkey) with ordinality k(number, place)
                    join pg_attribute a on a.attrelid = conrelid and a.attnum = k.number order by place
                )
                from pg_constraint where connamespace = 'crm_ai'::regnamespace and contype in ('p', 'u')
                """
            ).fetchall()
        )
    described = sections()
    assert set(described) == {name for name, _ in tables}
    for name, columns in tables:
        listed = "\n".join(re.findall(r"^\| ([\w, ]+) \|", described[name], flags=re.MULTILINE))
        assert set(columns) == set(re.findall(r"\w+", listed)) - {"column"}, name
        assert f"Key: `{', '.join(keys[f'crm_ai.{name}'])}`" in described[name], name
        assert described[name].count("```sql") == 3, name


@pytest.mark.parametrize("page", ["output_tables.md", "quality.md"])
def test_every_example_runs(installation: Path, page: str) -> None:
    examples = re.findall(r"```sql\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert examples
    with postgres.connect() as crm:
        for example in examples:
            crm.execute(example)
