"""An alarm is one row while it lasts; repeated and older days change nothing; people are told once."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from crm_agents import postgres
from crm_agents.company_settings import Monitoring
from crm_agents.monitoring import alarms
from crm_agents.monitoring.limits import Measurement, judge

SETTINGS = Monitoring()
DAY = date(2026, 6, 1)


def record(value: float, after_days: int = 0, run_id: str | None = None, kind: str = "volume") -> list[alarms.Alarm]:
    subject = "orders" if kind == "volume" else "churn"
    found = [Measurement(kind, subject, "", value, 0.0, 0.05, 0.2, 500, 4000)]
    day = DAY + timedelta(days=after_days)
    return alarms.record(
        judge(found, SETTINGS),
        as_of=day,
        run_id=run_id or f"run-{day}",
        models=["purchase_propensity"],
        settings=SETTINGS,
    )


def rows() -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(
            "select opened_as_of - date '2026-06-01', last_as_of - date '2026-06-01', closed_as_of - date '2026-06-01' "
            "from crm_ai.model_alarms order by 1"
        ).fetchall()


def test_an_alarm_lasts_until_it_has_kept_quiet_for_a_window(installation: Path) -> None:
    assert record(0.1) == []
    (alarm,) = record(-0.9, 1)
    assert alarm.models == ("purchase_propensity",)
    assert "orders: -59% rows" in alarm.message
    assert record(-0.8, 2) == []
    assert record(0.0, 3) == []
    assert record(-0.8, 4) == []  # not over yet: no second alarm
    assert rows() == [(1, 4, None)]
    for day in range(5, 12):
        record(0.0, day)
    assert rows() == [(1, 4, 11)]
    assert len(record(-0.9, 12)) == 1
    assert rows() == [(1, 4, 11), (12, 12, None)]


def test_a_repeated_run_tells_again_what_it_raised_and_opens_nothing_twice(installation: Path) -> None:
    first = record(-0.9, 1, "run")
    assert first == record(-0.9, 1, "run")
    assert record(-0.9, 1, "another run") == []
    assert len(rows()) == 1


def test_an_older_day_is_written_down_and_raises_nothing(installation: Path) -> None:
    record(0.0, 10)
    assert record(-0.9, 3) == []
    assert rows() == []
    assert alarms.is_measured(DAY + timedelta(days=3))
    with postgres.connect() as crm:
        assert crm.execute("select count(*), count(*) filter (where is_beyond) from crm_ai.drift").fetchone() == (2, 1)


def test_an_alarm_about_a_model_concerns_that_model_alone(installation: Path) -> None:
    (alarm,) = record(0.9, kind="label")
    assert alarm.models == ("churn",)


def test_people_are_told_once(installation: Path) -> None:
    record(-0.9, 1)
    (untold,) = alarms.untold()
    alarms.mark_told([untold])
    assert alarms.untold() == []
