"""The doctor names what is missing and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from crm_agents.settings import Settings
from crm_agents.stack import doctor


def test_environment_of_the_tests_is_complete(settings: Settings) -> None:
    finding = doctor.check_packages(settings)
    assert finding.level == "ok", finding.text


def test_missing_and_different_packages(settings: Settings, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "no-such-package==1.0 \\\n    --hash=sha256:00\n    # via nothing\npytest==0.1\n"
        "only-elsewhere==1.0 ; sys_platform == 'win32'\n"
    )
    finding = doctor.check_packages(settings, lock)
    assert finding.level == "problem"
    assert "no-such-package (missing, wanted 1.0)" in finding.text
    assert "pytest (" in finding.text
    assert "only-elsewhere" not in finding.text
    assert "make setup" in finding.mend


def test_taken_port_is_a_note(settings: Settings, listen: Callable[[int], int]) -> None:
    taken = listen(0)
    finding = doctor.check_ports(replace(settings, mlflow_port=taken))
    assert finding.level == "note"
    assert f"mlflow {taken}" in finding.text


def test_postgres_that_should_be_there_is_a_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, listen: Callable[[int], int]
) -> None:
    assert doctor.check_postgres(settings).level == "note"
    url = "postgresql://someone:word@127.0.0.1:1"
    monkeypatch.setenv("CRM_AGENTS_DATABASE_URL", url)
    finding = doctor.check_postgres(replace(settings, external_database_url=url))
    assert finding.level == "problem"
    assert "127.0.0.1:1" in finding.text
    assert "word" not in finding.text


def test_every_problem_has_a_way_out(settings: Settings) -> None:
    findings = list(doctor.examine(settings))
    assert len({finding.subject for finding in findings}) == len(findings) == 8
    assert all(finding.mend for finding in findings if finding.level != "ok")
