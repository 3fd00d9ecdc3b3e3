"""Sections of docs/results.md: each is replaced by its command, the others stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents.errors import CrmAgentsError
from crm_agents.results import HEAD, replace_section


def test_sections_are_added_and_replaced(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "results.md"
    replace_section(page, "first", "## First\none")
    replace_section(page, "second", "## Second\ntwo")
    before = page.read_text()
    assert before.startswith(HEAD)
    replace_section(page, "first", "## First\nother\n\n")
    assert page.read_text() == before.replace("one", "other")
    replace_section(page, "first", "## First\none")
    assert page.read_text() == before


def test_text_that_people_wrote_stays(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("# Mine\n\nbefore\n\n<!-- begin a -->\nold\n<!-- end a -->\n\nafter\n")
    replace_section(page, "a", "new")
    assert page.read_text() == "# Mine\n\nbefore\n\n<!-- begin a -->\nnew\n<!-- end a -->\n\nafter\n"


@pytest.mark.parametrize("text", ["<!-- begin a -->\n", "<!-- end a --> <!-- begin a -->", "<!-- begin a -->" * 2])
def test_lost_markers_are_told(tmp_path: Path, text: str) -> None:
    page = tmp_path / "results.md"
    page.write_text(text)
    with pytest.raises(CrmAgentsError, match="markers of section a"):
        replace_section(page, "a", "new")
    assert page.read_text() == text
