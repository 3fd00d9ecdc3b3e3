"""A day's monitoring as the DAG does it, on a simulated company with a champion, and on one where nothing is there yet."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from crm_agents import postgres
from crm_agents.monitoring import alarms, monitor
from tests.integration.monitoring.simulated_lake import COMPANY, END, HORIZON, simulate, train_and_score
from tests.raw_lake import RawLake


def rows(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def test_a_day_of_a_company_with_a_champion(installation: Path, tmp_path: Path) -> None:
    simulate(tmp_path, 1500, years=2.5)
    scored_from = END - timedelta(days=HORIZON + 10)
    train_and_score(scored_from, [scored_from + timedelta(days=number) for number in range(0, HORIZON + 11, 5)])
    joined = monitor.join_outcomes(as_of=END, run_id="r1", company=COMPANY)
    assert joined.model_months == 1
    ((scores, auc, brier, gone, is_complete),) = rows(
        "select scores, auc, brier, gone, is_complete from crm_ai.model_performance"
    )
    assert scores > 1000
    assert 0.6 < auc < 0.95
    assert 0 < brier < 0.2
    assert (gone, is_complete) == (0, True)

    monitor.watch(as_of=END, run_id="r1", company=COMPANY)
    kinds = dict(rows("select kind, count(*)::int from crm_ai.drift group by kind"))
    assert set(kinds) == {"volume", "fill", "distribution", "input", "score", "label"}
    assert kinds["input"] > 10
    assert rows("select count(*) from crm_ai.drift where detail = '' or limit_value <= 0") == [(0,)]
    assert alarms.is_measured(END)
    first = rows("select kind, subject, name, value, usual, limit_value from crm_ai.drift order by 1, 2, 3")
    monitor.watch(as_of=END, run_id="r2", company=COMPANY)
    again = rows("select kind, subject, name, value, usual, limit_value from crm_ai.drift order by 1, 2, 3")
    assert [(*row[:3], *(round(x or 0, 9) for x in row[3:])) for row in again] == [
        (*row[:3], *(round(x or 0, 9) for x in row[3:])) for row in first
    ]


def test_a_company_without_rows_or_models_has_nothing_to_measure(installation: Path) -> None:
    RawLake()
    joined = monitor.join_outcomes(as_of=date(2024, 6, 30), run_id="r1", company=COMPANY)
    assert (joined.model_months, joined.decision_months, joined.lifts) == (0, 0, 0)
    assert monitor.watch(as_of=date(2024, 6, 30), run_id="r1", company=COMPANY) == []
    assert rows("select count(*) from crm_ai.drift") == [(0,)]


def test_by_the_wall_clock_today_is_not_over() -> None:
    today = date(2024, 6, 30)
    assert monitor.whole_day(today, COMPANY) == today
    assert monitor.whole_day(today, COMPANY.model_copy(update={"clock": "wall"})) == date(2024, 6, 29)
