"""A run that follows another one of the same day scores only whose features changed, and comes to the same results."""

from __future__ import annotations

import pytest

from crm_agents import lake, postgres
from crm_agents.agents import customer_behaviour as agent
from crm_agents.agents.frame import AgentRun, Executed
from crm_agents.company_settings import Behaviour
from crm_agents.undo import undo
from tests.scored_customers import CHANGED, COMPANY, DAY, ask, change, settled, work

SCORES = (
    "select entity_id, round(value::numeric, 9), grade, round(percentile::numeric, 3), chosen from crm_ai.scores s "
    "left join lateral (select chosen from crm_ai.decisions d where d.entity_id = s.entity_id "
    "and outcome is distinct from 'undone' order by created_at desc limit 1) d on true order by 1"
)


def test_only_the_changed_are_scored_and_a_whole_run_agrees(scored: None) -> None:
    before = {row[0]: row for row in ask(SCORES)}
    change()
    written = work("few")
    found = settled("few")
    assert (found.after_batch, found.batch, found.whole_run) == (1, 2, "whole")
    assert 0 < written.updated <= CHANGED
    assert written.updated + written.unchanged == CHANGED
    with lake.connect() as connection:
        for table in (agent.PREDICTIONS, agent.DECISIONS):
            assert connection.execute(f"select count(*) from {table} where run_id = 'few'").fetchone() == (CHANGED,)
    after = {row[0]: row for row in ask(SCORES)}
    touched = {row[0] for row in ask("select entity_id from crm_ai.scores where run_id = 'few'")}
    assert {key for key in before if before[key] != after[key]} <= touched
    assert ask("select count(*) from crm_ai.score_reasons where run_id = 'few'")[0][0] > 5 * len(touched)

    with postgres.connect() as crm:  # forget what the run can build on: the next one is whole
        crm.execute("update crm_ai.agent_runs set basis = null")
    again = work("whole again")
    assert settled("whole again").is_whole
    values = {row[0]: row[1] for row in ask(SCORES)}
    assert values == {key: row[1] for key, row in after.items()}
    # The changed took their place in the distribution: a few others are ranked one place lower now.
    assert again.updated <= 0.02 * len(values)


def test_nothing_changed_writes_nothing(scored: None) -> None:
    before = ask(SCORES)
    assert work("idle") == Executed(0, 0, 0, 0)
    assert settled("idle").after_batch == 1
    assert ask(SCORES) == before


def test_a_retry_works_on_the_same_customers(scored: None) -> None:
    change()
    run = AgentRun("retried", agent.AGENT, DAY)
    agent.understand(run, COMPANY)
    change(60, batch=3)  # arrives between two tries
    agent.understand(run, COMPANY)
    assert (settled("retried").batch, settled("retried").after_batch) == (2, 1)
    work("next")
    assert settled("next").after_batch == 1  # the one that wrote nothing is not built upon


@pytest.mark.parametrize("because", ["settings", "an undo", "many changes", "a backfill"])
def test_everybody_is_scored_again(scored: None, because: str) -> None:
    company = COMPANY
    if because == "settings":
        company = COMPANY.model_copy(update={"behaviour": Behaviour(contact_share=0.11)})
    elif because == "an undo":
        change()
        work("undone")
        undo("undone")
    elif because == "many changes":
        change(800)
    run = AgentRun("next", agent.AGENT, DAY, is_backfill=because == "a backfill")
    agent.understand(run, company)
    assert settled("next").is_whole


def test_ranks_lie_in_the_distribution_of_the_whole_run(scored: None) -> None:
    exact = dict(ask("select value, percentile from crm_ai.scores where value is not null"))
    change()
    work("few")
    for value, percentile in ask("select value, percentile from crm_ai.scores where run_id = 'few'"):
        below = [rank for other, rank in exact.items() if other <= value]
        assert percentile == pytest.approx(max(below, default=0.0), abs=1e-3)
