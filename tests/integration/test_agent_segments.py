"""The customer segment agent: everybody is somewhere or says why not, moves and profiles follow, and a run is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents import lake
from crm_agents.agents import customer_segments as agent
from crm_agents.agents import customers, frame, scope
from crm_agents.agents.frame import AgentRun, Executed
from crm_agents.company import Company
from crm_agents.company_settings import WriteBack
from crm_agents.replay import replay
from crm_agents.undo import undo
from tests.scored_customers import CHANGED, COMPANY, CUTOFFS, DAY, ask, change, rows
from tests.simulated_customers import fill_lake

SEGMENTS = (
    "select customer_id, segment_id, segment_name, status, reason, run_id from crm_ai.customer_segments order by 1"
)


@pytest.fixture
def company_home(installation: Path) -> Path:
    """Customers with features of several days; nobody has a segment yet."""
    folder = installation / "company"
    folder.mkdir()
    (folder / "company.yml").write_text("name: test\ntitle: Test\n")
    fill_lake(rows(), horizon_days=30, label_days=CUTOFFS.all)
    return installation


def work(run_id: str, company: Company = COMPANY, day=DAY, is_backfill: bool = False) -> Executed:
    run = AgentRun(run_id, agent.AGENT, day, is_backfill=is_backfill)
    assert agent.perceive(run, company).is_enough
    assert agent.champion_readiness(run).state == "ready"
    agent.understand(run, company)
    agent.decide(run, company)
    agent.blast_radius(run, company)
    written = agent.execute(run, company)
    agent.explain(run, company)
    agent.evaluate(run, company)
    frame.finish(run, "done", writes=written.writes)
    return written


def test_everybody_has_a_segment_or_a_reason_why_not(company_home: Path) -> None:
    written = work("first")
    found = ask(SEGMENTS)
    with lake.connect() as connection:
        everybody, buyers = connection.execute(
            f"select count(*), count(*) filter (has_purchased) from {customers.FEATURES} where as_of = ?", [DAY]
        ).fetchone()
    assert (written.inserted, len(found)) == (everybody, everybody)
    assert sum(status == "scored" for _, _, _, status, _, _ in found) == buyers
    assert all(reason.startswith("Bought ") for _, segment, _, _, reason, _ in found if segment)
    profiles = ask("select customers, revenue_share, statement, chosen_because from crm_ai.segment_profiles")
    assert sum(count for count, *_ in profiles) == buyers
    assert sum(share for _, share, *_ in profiles) == pytest.approx(1)
    assert all("moved in 0, moved out 0" in statement for _, _, statement, _ in profiles)
    assert ask("select count(*) from crm_ai.segment_moves") == [(0,)]


def test_a_second_run_writes_nothing_and_the_next_day_keeps_ids(company_home: Path) -> None:
    earlier = CUTOFFS.test
    work("then", day=earlier)
    names = dict(
        ask("select distinct segment_id, segment_name from crm_ai.customer_segments where segment_id is not null")
    )
    assert work("again", day=earlier).writes == 0
    work("now")
    now = dict(
        ask("select distinct segment_id, segment_name from crm_ai.customer_segments where segment_id is not null")
    )
    assert set(names) & set(now)
    assert all(names[it] == now[it] for it in set(names) & set(now))
    moves = ask("select count(*), count(distinct customer_id) from crm_ai.segment_moves where run_id = 'now'")[0]
    assert moves[0] == moves[1] > 0
    into, out = ask(f"select sum(moved_in), sum(moved_out) from crm_ai.segment_profiles where as_of = '{DAY}'")[0]
    assert into == moves[0] >= out


def test_later_runs_of_a_day_assign_only_the_changed(company_home: Path) -> None:
    work("whole")
    change()
    written = work("few")
    settled = scope.recall(AgentRun("few", agent.AGENT, DAY))
    assert settled
    assert (settled.whole_run, settled.after_batch) == ("whole", 1)
    assert written.updated + written.unchanged == CHANGED
    assert ask("select count(distinct run_id) from crm_ai.segment_profiles") == [(1,)]


def test_a_retry_after_the_write_adds_nothing(company_home: Path) -> None:
    work("then", day=CUTOFFS.test)
    work("now")
    moves = ask("select * from crm_ai.segment_moves order by 1")
    run = AgentRun("now", agent.AGENT, DAY)
    assert agent.execute(run, COMPANY).writes == 0
    assert ask("select * from crm_ai.segment_moves order by 1") == moves


def test_undo_and_replay(company_home: Path) -> None:
    work("then", day=CUTOFFS.test)
    before = ask(SEGMENTS)
    work("now")
    found = replay("now")
    assert (found.different, found.same) == (0, len(ask(SEGMENTS)))
    undo("now")
    assert ask(SEGMENTS) == before
    assert ask("select count(*) from crm_ai.segment_moves where run_id = 'now'") == [(0,)]


def test_many_moves_need_approval_and_show_where_they_lead(company_home: Path) -> None:
    work("then", day=CUTOFFS.test)
    strict = COMPANY.model_copy(update={"write_back": WriteBack(approval_above_share=0.0001)})
    run = AgentRun("now", agent.AGENT, DAY)
    agent.understand(run, strict)
    agent.decide(run, strict)
    radius = agent.blast_radius(run, strict)
    assert radius.needs_approval
    assert "| from | to | customers |" in radius.table
    assert "customers (" in radius.summary
    assert not agent.blast_radius(
        run, COMPANY.model_copy(update={"write_back": WriteBack(approval_above_share=None)})
    ).table


def test_losing_many_segments_needs_approval(company_home: Path) -> None:
    work("then", day=CUTOFFS.test)
    run = AgentRun("empty", agent.AGENT, DAY)
    agent.not_scored(run, "nothing to go by")
    agent.decide(run, COMPANY)
    radius = agent.blast_radius(run, COMPANY)
    assert radius.needs_approval
    assert "of the segments would be lost, more than 15% (write_back.approval_above_deleted)" in radius.summary
    assert "| none |" in radius.table


def test_a_backfill_writes_nothing_that_stands(company_home: Path) -> None:
    work("now")
    before = ask(SEGMENTS)
    assert work("past", day=CUTOFFS.test, is_backfill=True) == Executed(0, 0, 0, 0)
    assert ask(SEGMENTS) == before
    assert ask("select count(*) from crm_ai.segment_profiles where run_id = 'past'") == [(0,)]


def test_an_older_day_overwrites_nothing_newer(company_home: Path) -> None:
    work("now")
    before = ask(SEGMENTS)
    work("older", day=CUTOFFS.test)
    assert ask(SEGMENTS) == before


def test_without_a_purchase_nobody_has_a_segment(company_home: Path) -> None:
    with lake.connect() as connection:
        connection.execute(f"update {customers.FEATURES} set has_purchased = false")
    run = AgentRun("nobody", agent.AGENT, DAY)
    perceived = agent.perceive(run, COMPANY)
    assert not perceived.is_enough
    agent.not_scored(run, perceived.reason)
    agent.decide(run, COMPANY)
    agent.execute(run, COMPANY)
    assert agent.explain(run, COMPANY) == 0
    assert set(ask("select segment_id, status, status_reason from crm_ai.customer_segments")) == {
        (None, "not_scored", perceived.reason)
    }
