"""The frame records what every stage and condition node costs, and how long it waited."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from crm_agents import postgres
from crm_agents.agents.frame import AgentRun, finish, observed, staged

RUN = AgentRun("agent-1", "agent", date(2026, 6, 30))


def record() -> dict:
    with postgres.connect() as crm:
        cursor = crm.execute("select * from crm_ai.agent_runs where run_id = %s", (RUN.run_id,))
        names = [column.name for column in cursor.description]
        return dict(zip(names, cursor.fetchone(), strict=True))


def test_stages_and_condition_nodes_are_recorded_with_their_waiting(installation: Path) -> None:
    assert staged(RUN, "perceive", lambda: sum(range(2_000_000))) > 0
    time.sleep(0.3)
    assert observed(RUN, "enough_data", lambda: "yes") == "yes"
    finish(RUN, "written", rows=7, writes=3)
    observed(RUN, "changed_anything", lambda: "no")
    row = record()
    assert set(row["stage_costs"]) == {"perceive", "enough_data", "changed_anything"}
    assert set(row["stage_seconds"]) == {"perceive"}
    for cost in row["stage_costs"].values():
        assert cost["peak_rss_mb"] > 10
        assert cost["seconds"] >= 0
    assert row["stage_costs"]["perceive"]["cpu_seconds"] > 0
    assert row["stage_costs"]["enough_data"]["waited_seconds"] >= 0.3
    assert (row["status"], row["rows_perceived"], row["writes"]) == ("written", 7, 3)
    assert row["cpu_seconds"] == pytest.approx(sum(cost["cpu_seconds"] for cost in row["stage_costs"].values()))


def test_a_failing_condition_node_is_recorded_with_its_reason(installation: Path) -> None:
    with pytest.raises(ValueError, match="broken"):
        observed(RUN, "approval_needed", lambda: int("broken"))
    row = record()
    assert row["status"] == "failed"
    assert row["status_reason"].startswith("approval_needed: ")
