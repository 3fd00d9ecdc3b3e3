"""What `up`, `down` and `status` say when nothing runs or nothing can run."""

from __future__ import annotations

import pytest

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings
from crm_agents.stack import control, report


def test_full_disk_is_told_before_anything_starts(settings: Settings) -> None:
    settings.home.mkdir(parents=True)
    with pytest.raises(CrmAgentsError, match=r"The disk that holds .* is full: \d+ MB are free"):
        control.check_disk(settings, least_free=2**60)
    control.check_disk(settings, least_free=1)


def test_unknown_component(settings: Settings) -> None:
    with pytest.raises(CrmAgentsError, match="No component redis"):
        control.up(settings, ["redis"])
    assert not settings.home.exists()


def test_status_of_a_stack_that_never_ran(settings: Settings) -> None:
    entries = control.status(settings)
    assert [entry.name for entry in entries] == list(control.COMPONENTS)
    assert {(entry.state, entry.is_healthy) for entry in entries} == {("down", False)}
    assert "`crm-agents up`" in entries[0].detail


def test_external_postgres_is_not_a_component(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_AGENTS_DATABASE_URL", "postgresql://user:word@db.example:5432")
    names = [entry.name for entry in control.status()]
    assert names == [name for name in control.COMPONENTS if name != "postgres"]


def test_down_when_nothing_runs(settings: Settings) -> None:
    assert control.down(settings) == 0
    settings.home.mkdir(parents=True)
    assert control.down(settings) == 0


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("starting\nOSError: [Errno 98] Address already in use\nbye\n", "OSError: [Errno 98] Address already in use"),
        ("one\ntwo\n", "two"),
        ("", "it said nothing"),
    ],
)
def test_last_words_are_the_telling_ones(settings: Settings, log: str, words: str) -> None:
    settings.log_dir.mkdir(parents=True)
    report.log_file(settings, "mlflow").write_text(log)
    assert report.last_words(settings, "mlflow") == words


def test_failure_names_component_reason_and_log(settings: Settings) -> None:
    settings.log_dir.mkdir(parents=True)
    log = report.log_file(settings, "mlflow")
    log.write_text("ValueError: no such port\n")
    entry = report.ComponentStatus("mlflow", "failed", log=log)
    error = report.failure(settings, entry)
    assert error.what == "mlflow did not become healthy: ValueError: no such port."
    assert str(log) in str(error.way_out)


def test_giving_up_needs_several_starts() -> None:
    entry = report.ComponentStatus("mlflow", "starting")
    assert not report.is_given_up(entry, {0, 11, 12})
    assert report.is_given_up(entry, {11, 12, 13, 14})
