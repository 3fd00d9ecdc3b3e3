"""docs/results.md: one page of figures, each section written by the command that measured it."""

from __future__ import annotations

import re
from pathlib import Path

from crm_agents.errors import CrmAgentsError

HEAD = """# Results

Figures that commands have measured. Each section stands between markers and is replaced by its command, never by hand.
"""


def replace_section(path: Path, name: str, text: str) -> None:
    """Write `text` as the section `name` of a Markdown page; the other sections stay as they are.

    Parameters
    ----------
    path : Path
        The page; made when it is not there.
    name : str
        Of the section, in lower case: what the markers ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` say. A new section
        is put at the end.
    text : str
        Markdown, with a heading.

    Raises
    ------
    CrmAgentsError
        When a marker has lost its partner.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise ValueError(f"{name!r} is not a name of a section")
    page = path.read_text(encoding="utf-8") if path.is_file() else HEAD
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if (page.count(begin), page.count(end)) not in ((0, 0), (1, 1)) or page.find(end) < page.find(begin):
        raise CrmAgentsError(
            f"{path} does not have the markers of section {name} once each, in order.",
            f"Put them right: {begin} ... {end}",
        )
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in page:
        before, rest = page.split(begin)
        page = before + section + rest.split(end)[1]
    else:
        page = f"{page.rstrip()}\n\n{section}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
