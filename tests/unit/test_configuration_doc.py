"""docs/configuration.md lists every key of company.yml with its default and its meaning, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from crm_agents.company import Company
from crm_agents.company_settings import Source
from crm_agents.contact_settings import Action

DOC = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def rows(section: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str]]:
    """Return (key, default, meaning) of every setting, sections opened."""
    found: list[tuple[str, str, str]] = []
    for name, field in section.model_fields.items():
        default = field.default
        if isinstance(default, BaseModel):
            found += rows(type(default), f"{prefix}{name}.")
            continue
        shown = "needed" if field.is_required() else "none" if default is None else _shown(default)
        found.append((f"{prefix}{name}", shown, field.description or ""))
    return found


def table() -> list[tuple[str, str, str]]:
    return [*rows(Company), *rows(Source, "sources[]."), *rows(Action, "personalisation.actions[].")]


def _shown(default: object) -> str:
    """Return a default as the page shows it: of a list of sections their names."""
    if isinstance(default, list) and default and isinstance(default[0], BaseModel):
        return ", ".join(item.name for item in default)
    return str(default)


def test_every_key_is_documented() -> None:
    documented = re.findall(r"^\| `([\w.\[\]]+)` \| (.*?) \| (.*?) \|$", DOC.read_text(), flags=re.MULTILINE)
    keys = {key for key, _, _ in table()}
    assert [row for row in documented if row[0] in keys or "." in row[0]] == [
        (key, default, meaning) for key, default, meaning in table()
    ]


def test_every_key_has_a_meaning() -> None:
    assert [key for key, _, meaning in table() if not meaning] == []
