"""The blast radius of a run, measured against the scores that stand in the CRM."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from crm_agents import lake, postgres
from crm_agents.agents.frame import AgentRun, BlastRadius
from crm_agents.approval import Difference, blast_radius, measure
from crm_agents.company_settings import WriteBack

LIMITS = WriteBack()


def stand(value: str, as_of: str = "2026-01-01") -> None:
    """Let 100 scores stand in the CRM; every tenth customer is not scored."""
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.scores (entity_type, entity_id, model, value, status, as_of, run_id) "
            f"select 'customer', 'c' || i, 'm', case when i %% 10 > 0 then {value} end, 'scored', %s, 'r1' "
            "from generate_series(0, 99) i",
            (as_of,),
        )


def incoming(value: str) -> str:
    return f"select 'c' || i as entity_id, ({value})::double as value from range(0, 110) t(i)"


def compared(value: str, as_of: date = date(2026, 1, 2)) -> tuple[Difference, BlastRadius]:
    run = AgentRun("r2", "agent", as_of)
    with lake.connect(with_crm=True) as connection:
        return (
            measure(connection, run, LIMITS, model="m", incoming=incoming(value)),
            blast_radius(connection, run, LIMITS, model="m", incoming=incoming(value)),
        )


def test_a_first_run_asks_nobody(installation: Path) -> None:
    difference, radius = compared("0.5")
    assert difference == Difference()
    assert (radius.needs_approval, radius.table) == (False, "")


def test_scores_that_drift_with_the_days_ask_nobody(installation: Path) -> None:
    stand("0.3")
    difference, radius = compared("0.3 + case when i % 2 = 0 then 0.09 else -0.09 end")
    assert (difference.existing, difference.moved, difference.lost, difference.new) == (90, 0, 0, 20)
    assert not radius.needs_approval


def test_many_moves_ask_and_show_the_largest(installation: Path) -> None:
    stand("0.3")
    difference, radius = compared("case when i = 41 then 1.0 when i < 30 then 0.55 else 0.3 end")
    assert (difference.existing, difference.moved) == (90, 28)
    assert difference.largest[0] == ("c41", 0.3, 1.0)
    assert radius.needs_approval
    assert "| c41 | 0.300 | 1.000 |" in radius.table
    assert "28 of 90 existing scores of m (31.1%)" in radius.summary


def test_lost_scores_ask(installation: Path) -> None:
    stand("0.01")
    difference, radius = compared("case when i > 15 then 0.01 end")
    assert (difference.lost, difference.moved) == (14, 0)
    assert radius.needs_approval
    assert "approval_above_deleted" in radius.table


def test_an_older_day_changes_nothing_that_is_newer(installation: Path) -> None:
    stand("0.3", as_of="2026-02-01")
    assert not compared("1 - 0.3")[1].needs_approval
