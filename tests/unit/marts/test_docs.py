"""docs/marts.md says what the contracts say."""

from __future__ import annotations

import re

import yaml

from crm_agents.settings import PROJECT_ROOT

MODELS = PROJECT_ROOT / "dbt_project" / "models"
PAGE = (PROJECT_ROOT / "docs" / "marts.md").read_text(encoding="utf-8")
BLOCKS = dict(
    re.findall(r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}", (MODELS / "columns.md").read_text(), flags=re.DOTALL)
)


def plain(description: str) -> str:
    return re.sub(r"{{ doc\('(\w+)'\) }}", lambda block: BLOCKS[block[1]], description.strip())


def properties(pattern: str) -> list[dict]:
    found = []
    for path in sorted((PROJECT_ROOT / "dbt_project").glob(pattern)):
        content = yaml.safe_load(path.read_text())
        found += content.get("models", []) + content.get("snapshots", [])
    return found


def test_every_mart_and_feature_is_described_as_its_contract_does() -> None:
    missing = []
    for model in (
        properties("models/marts/_*.yml") + properties("models/features/_*.yml") + properties("snapshots/_*.yml")
    ):
        lines = [f"| {column['name']} | " for column in model["columns"]]
        lines += [f" | {plain(column['description'])} |" for column in model["columns"]]
        missing += [(model["name"], line) for line in (plain(model["description"]), *lines) if line not in PAGE]
    assert missing == []


def test_every_description_ends_with_the_grain() -> None:
    models = properties("models/**/_*.yml") + properties("snapshots/_*.yml")
    assert len(models) > 45
    bad = [
        model["name"]
        for model in models
        if not re.search(r"Grain is one row per [^.]+\.$", model["description"].strip())
    ]
    assert bad == []


def test_every_column_has_a_description() -> None:
    assert [
        (model["name"], column["name"])
        for model in properties("models/**/_*.yml")
        for column in model.get("columns", [])
        if not column.get("description")
    ] == []
