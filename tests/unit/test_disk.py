"""A full disk is told in one sentence, whoever met it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents.disk import explain_if_full
from crm_agents.errors import CrmAgentsError


def full_disk() -> OSError:
    """Return the error of a real write to a device without space."""
    with pytest.raises(OSError, match="No space left") as caught, Path("/dev/full").open("w") as stream:
        stream.write("x")
    return caught.value


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRM_AGENTS_HOME", str(tmp_path / "not" / "there"))
    return tmp_path / "not" / "there"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named_even_behind_another_error(home: Path) -> None:
    cause = full_disk()
    error = CrmAgentsError("The load could not go on.")
    error.__cause__ = cause
    for met in (cause, error):
        told = explain_if_full(met)
        assert told is not None
        assert f"The disk that holds {home} is full" in told.what
        assert "Free some space" in str(told.way_out)


def test_other_errors_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert explain_if_full(CrmAgentsError("Table crm.orders is empty.")) is None
    assert explain_if_full(ValueError("wrong")) is None
    monkeypatch.setenv("CRM_AGENTS_AIRFLOW_PORT", "zero")
    assert explain_if_full(CrmAgentsError("CRM_AGENTS_AIRFLOW_PORT=zero is not a positive whole number.")) is None
