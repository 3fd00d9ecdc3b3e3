"""``crm-agents models`` and ``crm-agents models revert`` on a real registry."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crm_agents import model_versions
from crm_agents.cli import application

MODEL = "purchase_propensity"
FIRST, SECOND = date(2026, 1, 1), date(2026, 2, 1)


def row(version: str, day: date, **changes: Any) -> dict[str, Any]:
    metrics = {"brier": 0.2, "auc": 0.7}
    fields = {"model": MODEL, "version": version, "method": "champion", "grade": "B", "primary_metric": "brier"}
    return {**fields, "metrics": metrics, "baseline_metrics": metrics, "trained_as_of": day, **changes}


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    application()(["models", *arguments], standalone_mode=False)
    return capsys.readouterr().out


def lines_of(output: str) -> dict[str, list[str]]:
    """Return the words of each version's line."""
    return {line.split()[0]: line.split() for line in output.splitlines() if line[:1].isdigit()}


@pytest.fixture
def versions(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    model_versions.record([row("1", FIRST, grade="A"), row("2", FIRST, method="baseline")], "1", FIRST, "first")
    model_versions.record([row("3", SECOND)], "3", SECOND, "better")
    model_versions.record(
        [row("4", SECOND, method="simpler_model", grade="C", decision="has grade C, B is needed")],
        None,
        SECOND,
        "has grade C, B is needed",
    )


def test_versions_are_listed_with_grade_and_alias(versions: None, capsys: pytest.CaptureFixture[str]) -> None:
    output = say(capsys)
    found = lines_of(output)
    assert found["3"][:4] == ["3", "champion", "model", "B"]
    assert found["1"][:4] == ["1", "previous", "model", "A"]
    assert found["4"][:5] == ["4", "challenger", "simpler", "model", "C"]
    assert found["2"][:3] == ["2", "baseline", "B"]
    assert "has grade C, B is needed" in output


def test_nothing_trained_yet_says_what_to_do(installation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "crm-agents run train_models" in say(capsys)


def test_a_run_that_is_repeated_goes_back_once(versions: None) -> None:
    for _ in range(2):
        before, now = model_versions.revert(MODEL, SECOND, run_id="train_models-1")
        assert (before.version, now.version) == ("3", "1")
    assert model_versions.revert(MODEL, SECOND, run_id="train_models-2")[1].version == "3"
