"""A run repeated from its inputs decides the same; killed anywhere and tried again, it leaves what an undisturbed one leaves."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from crm_agents import lake, postgres
from crm_agents.agents import customer_behaviour as agent
from crm_agents.agents import frame
from crm_agents.agents.frame import AgentRun
from crm_agents.errors import CrmAgentsError
from crm_agents.replay import replay
from crm_agents.undo import undo
from tests.scored_customers import COMPANY, DAY, ask, change, work

DELAYS = (0.05, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2)
STAGES = ("understand", "decide", "execute", "explain", "evaluate")


@pytest.mark.parametrize("run_id", ["whole", "few"])
def test_the_same_inputs_give_the_same_decisions(scored: None, run_id: str) -> None:
    change(40)
    work("few")
    change(60, batch=3)  # features go on changing, people are contacted and runs taken back
    work("later")
    undo("later")
    before = ask("select count(*), max(updated_at) from crm_ai.scores"), ask("select count(*) from crm_ai.decisions")
    found = replay(run_id)
    customers = {"whole": ask("select count(*) from crm_ai.scores")[0][0], "few": 40}[run_id]
    assert found.same == 2 * customers  # a score and a decision each
    assert (found.different, found.examples) == (0, ())
    after = ask("select count(*), max(updated_at) from crm_ai.scores"), ask("select count(*) from crm_ai.decisions")
    assert after == before
    assert ask("select count(*) from crm_ai.agent_runs where run_id like '%replay'") == [(0,)]
    with lake.connect() as connection:
        for table in agent.WORKING_TABLES:
            assert connection.execute(f"select count(*) from {table} where run_id like '%replay'").fetchone() == (0,)


def test_a_run_that_cannot_be_repeated_so_is_named(scored: None) -> None:
    with lake.connect() as connection:
        connection.execute(
            f"update {agent.DECISIONS} set value = value + 0.1, chosen = 'wait' where chosen = 'contact_now'"
        )
    found = replay("whole")
    assert found.different > 0
    assert {row["column"] for row in found.examples} >= {"chosen", "value"}


def test_what_cannot_be_replayed_is_told(scored: None) -> None:
    with pytest.raises(CrmAgentsError, match=r"nowhere is not known.*can be replayed: whole"):
        replay("nowhere")
    frame.finish(AgentRun("a build", "build_marts", DAY), "done")
    with pytest.raises(CrmAgentsError, match="scored nobody"):
        replay("a build")
    with lake.connect() as connection:
        connection.execute(f"delete from {agent.DECISIONS}")
    with pytest.raises(CrmAgentsError, match="no longer has what run whole"):
        replay("whole")


@dataclass(frozen=True)
class State:
    """Everything that a run leaves in the CRM database, ids of rows and times left out."""

    scores: list[tuple]
    history: list[tuple]
    decisions: list[tuple]
    ledger: list[tuple]
    reasons: list[tuple]

    @classmethod
    def now(cls) -> State:
        """Read it."""
        return cls(
            ask(
                "select entity_id, value, grade, percentile, status, as_of, valid_until, run_id from crm_ai.scores order by 1"
            ),
            ask("select entity_id, as_of, value, grade, run_id from crm_ai.score_history order by 1, 2"),
            ask(
                "select decision_id, chosen, confidence, reason, prior_decision_id, outcome from crm_ai.decisions order by 1"
            ),
            ask(
                "select run_id, decision_id, row_key::text, operation, old_values::text, new_values::text "
                "from crm_ai.write_ledger order by 1, 3"
            ),
            ask("select entity_id, rank, feature, contribution, run_id from crm_ai.score_reasons order by 1, 2"),
        )


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Do `work` in a process of its own and kill that after `seconds`; tell whether it was still at work."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed; its error stands above"
    return os.WIFSIGNALED(status)


def test_a_stage_killed_anywhere_and_tried_again_has_no_second_effect(scored: None) -> None:
    change(200)
    run = AgentRun("killed", agent.AGENT, DAY)
    interrupted = 0
    for stage in STAGES:
        for delay in DELAYS:  # later and later, until the stage ends by itself
            if not killed_after(delay, lambda stage=stage: getattr(agent, stage)(run, COMPANY)):
                break
            interrupted += 1
        getattr(agent, stage)(run, COMPANY)  # a retry, after success too
    assert interrupted > len(STAGES)
    seen = State.now()
    ids = [row[2] for row in seen.ledger if row[0] == "killed"]
    assert len(ids) == len(set(ids)) == sum(row[7] == "killed" for row in seen.scores)
    assert replay("killed").different == 0

    undo("killed")
    with postgres.connect() as crm:
        crm.execute("delete from crm_ai.decisions where run_id = 'killed'")
        crm.execute("delete from crm_ai.write_ledger where run_id = 'killed'")
        crm.execute("delete from crm_ai.agent_runs where run_id = 'killed'")
    for stage in STAGES:
        getattr(agent, stage)(run, COMPANY)
    assert State.now() == seen
