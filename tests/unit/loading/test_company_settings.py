"""company.yml: a wrong key or value is told by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_agents.company import COMPANIES_DIR, read_company
from crm_agents.errors import CrmAgentsError

GOOD = {"name": "shop", "title": "A shop"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"horizon": 3}, ["company.yml", "unknown key horizon"]),
        ({"prediction": {"horizon_day": 3}}, ["unknown key prediction.horizon_day", "did you mean horizon_days"]),
        ({"prediction": {"horizon_days": "soon"}}, ["prediction.horizon_days", "soon"]),
        ({"prediction": {"horizon_days": 0}}, ["prediction.horizon_days", "0"]),
        ({"clock": "moon"}, ["clock", "moon"]),
        ({"as_of_from": "ordrs"}, ["as_of_from", "ordrs", "orders"]),
        ({"currency": "Euro"}, ["currency", "Euro"]),
        ({"last_event_on": "2024-13-01"}, ["last_event_on", "2024-13-01"]),
        ({"sources": [{"name": "a", "file": "a.csv", "delimiter": "::"}]}, ["sources.0.delimiter", "::"]),
        ({"sources": [{"name": "a", "file": "a.csv", "optional": True}]}, ["lists its columns"]),
        ({"sources": 2 * [{"name": "a", "file": "a.csv"}]}, ["two sources have the name 'a'"]),
        ({"name": "My Shop"}, ["name", "My Shop"]),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: dict[str, Any], words: list[str]) -> None:
    (tmp_path / "company.yml").write_text(yaml.safe_dump(GOOD | settings))
    with pytest.raises(CrmAgentsError) as caught:
        read_company(tmp_path)
    for word in words:
        assert word in str(caught.value)


def test_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "company.yml").write_text("name: [shop")
    with pytest.raises(CrmAgentsError, match=r"company\.yml cannot be read"):
        read_company(tmp_path)


@pytest.mark.parametrize("folder", sorted(COMPANIES_DIR.glob("*/company.yml")), ids=lambda path: path.parent.name)
def test_shipped_companies_are_right(folder: Path) -> None:
    assert read_company(folder.parent).name == folder.parent.name
