"""Recommendations for everybody, an action for some, nothing for the control arm, and nothing without consent."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from crm_agents import lake, postgres
from crm_agents.agents import personalisation as agent
from crm_agents.agents.frame import AgentRun
from crm_agents.replay import replay
from crm_agents.undo import undo
from tests.personalised_customers import COMPANY, DAY, add_features, ask, set_up, work


@pytest.fixture
def company(installation: Path) -> None:
    set_up(installation)


def test_everybody_who_has_bought_gets_ten_products_with_reasons(company: None) -> None:
    written = work("first")
    assert written.inserted > 1000
    rows = ask(
        "select count(*), count(distinct customer_id), min(rank), max(rank), count(reason) from crm_ai.recommendations"
    )
    assert rows[0][0] == rows[0][4] == 10 * rows[0][1]
    assert rows[0][2:4] == (1, 10)
    assert (
        ask("select count(*) from crm_ai.recommendations where reason like '%Product p%' or reason like 'Bought%'")[0][
            0
        ]
        > 0
    )
    assert work("again").writes == 0


def test_products_that_are_not_sold_any_more_are_never_offered(company: None) -> None:
    work("first")
    gone = ask("select product_id from crm_ai.recommendations group by 1 order by count(*) desc limit 1")[0][0]
    with lake.connect() as connection:
        connection.execute("update marts.dim_products set is_active = false where product_id = ?", [gone])
    work("second")
    assert ask(f"select count(*) from crm_ai.recommendations where product_id = '{gone}'") == [(0,)]


def test_a_product_without_sales_harms_nobody(company: None) -> None:
    with lake.connect() as connection:
        connection.execute("insert into marts.dim_products values ('never sold', 'Never sold', true, true)")
    work("first")
    assert ask("select count(*) from crm_ai.recommendations where product_id = 'never sold'") == [(0,)]


def test_each_customer_has_one_day_in_a_window_and_the_control_arm_is_left_alone(company: None) -> None:
    for number in range(7):
        day = DAY + timedelta(days=number)
        if number:
            add_features(day)
        work(f"day{number}", day=day)
    decided = ask("select count(*), count(distinct entity_id) from crm_ai.decisions where policy not like 'list %'")
    assert decided[0][0] == decided[0][1] > 250
    shares = dict(ask("select arm, count(*) from crm_ai.decisions where policy not like 'list %' group by 1"))
    assert 0.06 < shares["control"] / decided[0][0] < 0.2
    assert ask("select distinct chosen, propensity from crm_ai.decisions where arm = 'control'") == [
        ("do_nothing", 1.0)
    ]
    assert ask(
        "select count(*) from crm_ai.outbox o join crm_ai.decisions d using (decision_id) where arm = 'control'"
    ) == [(0,)]
    assert ask(
        "select count(*) > 0, bool_and(propensity > 0 and propensity <= 1) from crm_ai.decisions where chosen = 'call'"
    ) == [(True, True)]


def test_nothing_goes_out_without_consent(company: None) -> None:
    work("first")
    assert ask("select count(*) from crm_ai.outbox")[0][0] > 5
    assert ask(
        "select count(*) from crm_ai.outbox o where channel <> 'none' and not exists (select from crm.consents c "
        "where c.customer_id = o.recipient_id and c.channel = o.channel and c.purpose = o.purpose and c.granted)"
    ) == [(0,)]
    for options, chosen in ask("select options, chosen from crm_ai.decisions where arm = 'treatment'"):
        if "allowed" in options:
            assert chosen in options["allowed"]
    variables = ask("select variables from crm_ai.outbox where template <> 'care' limit 1")[0][0]
    assert len(variables["products"]) == 3


def test_consent_that_cannot_be_read_stops_everything(company: None) -> None:
    with postgres.connect() as crm:
        crm.execute("alter table crm.consents rename to consents_away")
    try:
        work("first")
        assert ask("select count(*) from crm_ai.outbox") == [(0,)]
        assert ask(
            "select count(*) from crm_ai.decisions where chosen in ('call', 'mail_discount', 'loyalty_bonus')"
        ) == [(0,)]
    finally:
        with postgres.connect() as crm:
            crm.execute("alter table crm.consents_away rename to consents")


def test_a_consent_withdrawn_after_the_choice_blocks_the_message(company: None) -> None:
    run = AgentRun("first", agent.AGENT, DAY)
    agent.understand(run, COMPANY)
    agent.decide(run, COMPANY)
    with postgres.connect() as crm:
        crm.execute("update crm.consents set granted = false, updated_at = clock_timestamp()")
    assert " 0 may go out" in f" {agent.permit(run, COMPANY)}"
    agent.execute(run, COMPANY)
    assert ask("select count(*) from crm_ai.outbox where channel <> 'none'") == [(0,)]
    assert ask("select distinct blocked_by from crm_ai.decisions where blocked_by is not null") == [
        ("consent.withdrawn",)
    ]


def test_undo_takes_all_of_it_back_and_replay_finds_the_same(company: None) -> None:
    work("first")
    before = ask("select customer_id, rank, product_id from crm_ai.recommendations order by 1, 2")
    found = replay("first")
    assert (found.same, found.different) == (len(before), 0)
    undo("first")
    assert ask("select count(*) from crm_ai.recommendations") == [(0,)]
    assert ask("select count(*) from crm_ai.outbox") == [(0,)]
    assert ask("select distinct outcome from crm_ai.decisions") == [("undone",)]
    assert work("second").inserted == len(before) + ask("select count(*) from crm_ai.outbox")[0][0]


def test_a_backfill_writes_nothing_that_stands(company: None) -> None:
    run = AgentRun("past", agent.AGENT, DAY, is_backfill=True)
    agent.understand(run, COMPANY)
    assert agent.decide(run, COMPANY).choices == {}
    assert not agent.blast_radius(run, COMPANY).needs_approval
    assert agent.permit(run, COMPANY) == "A backfill sends nothing."
    assert agent.execute(run, COMPANY).writes == 0
    agent.evaluate(run, COMPANY)
    assert ask("select (select count(*) from crm_ai.recommendations), (select count(*) from crm_ai.decisions)") == [
        (0, 0)
    ]


def test_a_run_for_an_earlier_day_than_the_last_leaves_what_stands(company: None) -> None:
    later = DAY + timedelta(days=1)
    add_features(later)
    work("first", day=later)
    before = ask("select customer_id, rank, product_id, as_of from crm_ai.recommendations order by 1, 2")
    counts = "select (select count(*) from crm_ai.decisions), (select count(*) from crm_ai.outbox)"
    decided = ask(counts)
    assert work("late", day=DAY).writes == 0
    assert ask("select customer_id, rank, product_id, as_of from crm_ai.recommendations order by 1, 2") == before
    assert ask(counts) == decided


def test_too_many_messages_wait_for_a_person(company: None) -> None:
    careful = COMPANY.model_copy(
        update={"personalisation": COMPANY.personalisation.model_copy(update={"approval_above_messages": 2})}
    )
    run = AgentRun("first", agent.AGENT, DAY)
    agent.understand(run, careful)
    agent.decide(run, careful)
    radius = agent.blast_radius(run, careful)
    assert radius.needs_approval
    assert "more than 2 (personalisation.approval_above_messages)" in radius.summary
    assert "| what | channel | wished for |" in radius.table


def test_outcomes_are_joined_and_a_policy_that_is_no_better_does_not_serve(company: None) -> None:
    settings = COMPANY.personalisation
    for number in range(24):
        day = DAY + timedelta(days=number)
        if number:
            add_features(day)
        work(f"day{number}", day=day)
    assert ask("select count(*) > 500 from crm_ai.decisions where outcome in ('purchased', 'no_purchase')") == [(True,)]
    rows = ask("select alias, grade, decision, metrics from crm_ai.models where model = 'next_best_action'")
    assert rows, "a policy was judged"
    for alias, grade, decision, metrics in rows:
        assert (alias == "champion") == (grade in ("A", "B")), decision
        assert json.loads(json.dumps(metrics))["n"] >= 500
    assert settings.policy == "learnt"
