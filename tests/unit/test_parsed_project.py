"""A parsed project is taken over only while every file is as it was, and only once."""

from __future__ import annotations

import os
from pathlib import Path

from crm_agents.parsed_project import keep, stamp, take


def test_taken_once_while_nothing_changed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "orders.sql"
    model.write_text("select 1")
    before = stamp(tmp_path, "profile")
    keep(before, "parsed")
    assert take(stamp(tmp_path, "another profile")) is None
    assert take(stamp(tmp_path, "profile")) == "parsed"
    assert take(stamp(tmp_path, "profile")) is None


def test_a_changed_new_or_missing_file_counts(tmp_path: Path) -> None:
    model = tmp_path / "orders.sql"
    model.write_text("select 1")
    stamps = [stamp(tmp_path)]
    os.utime(model, ns=(1, 1))
    stamps.append(stamp(tmp_path))
    (tmp_path / "items.sql").write_text("")
    stamps.append(stamp(tmp_path))
    model.unlink()
    stamps.append(stamp(tmp_path))
    assert len(set(stamps)) == len(stamps)
