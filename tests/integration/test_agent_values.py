"""What customers are worth: amounts beside probabilities, with reasons that add up, months ahead, and undo."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from crm_agents import approval, horizons, lake, purchase_log, training
from crm_agents.agents import customer_behaviour as agent
from crm_agents.agents import customer_scores, customer_values
from crm_agents.agents.frame import AgentRun
from crm_agents.company import Company
from crm_agents.model_catalog import find_model
from crm_agents.replay import replay
from crm_agents.undo import undo
from tests.scored_customers import CHANGED, COMPANY, DAY, ask, change, work
from tests.simulated_customers import purchases

MODEL = customer_values.MODEL
WORTH = COMPANY.model_copy(update={"value": COMPANY.value.model_copy(update={"horizon_days": 180})})
ONLY_RETURNED = "c7"


def fill_orders() -> None:
    """Write the purchases that the features were made from; one customer has only ever returned."""
    bought = purchases(900, DAY)
    with lake.connect() as connection:
        connection.register("bought", bought)
        connection.execute(
            "insert into marts.fct_orders select row_number() over ()::varchar, customer_id, bought_on::date, true, "
            f"case when customer_id = '{ONLY_RETURNED}' then -amount else amount end from bought"
        )


@pytest.fixture
def valued(scored: None) -> None:
    """Train the value model beside the purchase champion, and let a run score with both."""
    fill_orders()
    result = training.train(MODEL, as_of=DAY, run_id="t2", company=WORTH)
    assert result.status == "promoted", result.reason
    assert result.metrics["rmse"] < result.baseline_metrics["rmse"]
    work("both", WORTH)


def test_everybody_who_has_bought_is_valued(valued: None) -> None:
    counts = dict(ask("select model, count(*) from crm_ai.scores where status = 'scored' group by 1"))
    assert counts[MODEL] == counts["purchase_propensity"] - 1  # one has only returned
    assert ask(f"select count(*) from crm_ai.customer_values v join crm_ai.scores s on s.entity_id = v.customer_id and "
               f"s.model = '{MODEL}' and s.status = 'scored' and s.unit = 'amount'") == [(counts[MODEL],)]  # fmt: skip
    ahead = ask(
        "select min(expected_value_6m - expected_value_3m), min(expected_value_12m - expected_value_6m), "
        "min(expected_value_12m_hi80 - expected_value_12m_lo80), min(p_alive), max(p_alive), min(currency), "
        "min(expected_purchases_12m - expected_purchases_3m) from crm_ai.customer_values"
    )[0]
    assert min(ahead[:3]) >= 0
    assert 0 <= ahead[3] <= ahead[4] <= 1
    assert ahead[5] == "EUR"
    assert ahead[6] >= 0
    # six months are two and a half days longer than the model's horizon
    months, score = ask(
        f"select sum(v.expected_value_6m), sum(s.value) from crm_ai.customer_values v join crm_ai.scores s "
        f"on s.entity_id = v.customer_id and s.model = '{MODEL}'"
    )[0]
    assert 1.0 < months / score < 1.02
    assert [row[0] for row in ask(f"select distinct grade from crm_ai.scores where model = '{MODEL}' order by 1")] == [
        *"ABCD", None
    ]  # fmt: skip

    # who has only returned is told so
    assert ask(f"select value, status_reason from crm_ai.scores where model = '{MODEL}' and status = 'not_scored'") == [
        (None, "Returns outweigh every purchase: there is nothing to judge the next one by.")
    ]
    assert ask(f"select count(*) from crm_ai.customer_values where customer_id = '{ONLY_RETURNED}'") == [(0,)]


def test_what_a_run_leaves_to_those_who_read_it(valued: None) -> None:
    reasons_add_up_to_the_amount()
    moves_of_amounts_are_measured_against_their_mean()
    the_log_gives_what_it_says()
    a_run_for_an_older_day_deletes_nothing()


def reasons_add_up_to_the_amount() -> None:
    rows = ask(
        "select count(*), max(abs(total - value)) from crm_ai.scores join (select entity_id, sum(contribution) as total "
        f"from crm_ai.score_reasons where model = '{MODEL}' group by 1) r using (entity_id) where model = '{MODEL}'"
    )
    assert rows[0][0] > 100
    assert rows[0][1] < 1e-6
    said = ask(
        f"select feature, min(statement) from crm_ai.score_reasons where model = '{MODEL}' group by 1 order by 1"
    )
    assert dict(said)["base"].endswith(" EUR.")
    assert all(text.endswith(".") for _, text in said)


def test_only_whose_features_changed_is_valued_anew_and_undo_restores(valued: None) -> None:
    before = ask("select * from crm_ai.customer_values order by 1")
    change()
    with lake.connect() as connection:
        connection.execute(
            "insert into marts.fct_orders select 'new-' || customer_id, customer_id, as_of, true, 500 "
            "from features.ftr_customers where as_of = ? and _batch = 2",
            [DAY],
        )
    work("few", WORTH)
    with lake.connect() as connection:
        looked_at = connection.execute(f"select count(*) from {customer_values.VALUES} where run_id = 'few'").fetchone()
    assert looked_at == (CHANGED,)
    written = dict(ask("select run_id, count(*) from crm_ai.customer_values group by 1"))
    assert 0 < written["few"] <= CHANGED
    assert written["few"] + written["both"] >= len(before)
    undo("few")
    columns = "customer_id, p_alive, expected_purchases_12m, expected_value_12m, expected_value_12m_hi80, run_id"
    again = ask(f"select {columns} from crm_ai.customer_values order by 1")
    assert [row[0] for row in again] == [row[0] for row in before]
    assert {row[-1] for row in again} == {"both"}
    undo("both")
    assert ask("select count(*) from crm_ai.customer_values") == [(0,)]
    assert ask(f"select count(*) from crm_ai.scores where model = '{MODEL}'") == [(0,)]


def test_a_run_that_repeats_another_writes_nothing_and_replays_alike(valued: None) -> None:
    change(customers=0)
    written = work("again", WORTH)
    assert (written.inserted, written.updated) == (0, 0)
    found = replay("both")
    assert (found.different, found.examples) == (0, ())


def test_a_value_that_can_no_longer_be_given_is_deleted(valued: None) -> None:
    with lake.connect() as connection:
        connection.execute("update marts.fct_orders set revenue_amount = -1 where customer_id = 'c12'")
        connection.execute("update features.ftr_customers set _batch = 2 where customer_id = 'c12'")
    assert ask("select count(*) from crm_ai.customer_values where customer_id = 'c12'") == [(1,)]
    work("less", WORTH)
    assert ask("select count(*) from crm_ai.customer_values where customer_id = 'c12'") == [(0,)]
    undo("less")
    assert ask("select run_id from crm_ai.customer_values where customer_id = 'c12'") == [("both",)]


def a_run_for_an_older_day_deletes_nothing() -> None:
    ask_count = "select count(*) from crm_ai.customer_values"
    before = ask(ask_count)
    run = AgentRun("older", agent.AGENT, DAY - timedelta(days=1))
    with lake.connect(with_crm=True) as connection:
        customer_values.nobody(connection, run)
        counts = customer_values.write(connection, run, "EUR", "true")
    assert counts.writes == 0
    assert ask(ask_count) == before


def test_history_too_short_for_the_horizon_says_so(scored: None) -> None:
    fill_orders()
    far = COMPANY.model_copy(update={"value": COMPANY.value.model_copy(update={"horizon_days": 700})})
    result = training.train(MODEL, as_of=DAY, run_id="t2", company=far)
    assert result.status == "not_scored"
    assert "days of history (needed: 1,400)" in result.reason
    work("none", far)
    assert ask(f"select distinct status_reason from crm_ai.scores where model = '{MODEL}'") == [(result.reason,)]
    assert ask("select count(*) from crm_ai.customer_values") == [(0,)]
    assert ask("select count(*) > 0 from crm_ai.scores where model = 'purchase_propensity' and value > 0") == [(True,)]


def test_customers_who_hardly_come_back_are_not_valued(scored: None) -> None:
    with lake.connect() as connection:
        connection.execute(
            "insert into marts.fct_orders select i::varchar, 'c' || i % 5960, date '2022-01-01' + (i % 890)::integer, true, 20 "
            "from range(6000) t(i)"
        )
    result = training.train(MODEL, as_of=DAY, run_id="t2", company=WORTH)
    assert result.status == "not_scored"
    assert "Too little data to learn from" in result.reason
    assert customer_scores.versions(AgentRun("r", agent.AGENT, DAY))[MODEL] == customer_scores.NOBODY


def moves_of_amounts_are_measured_against_their_mean() -> None:
    mean, above = ask(
        "select avg(value), count(*) filter (where 0.1 * value > 0.2 * (select avg(value) from crm_ai.scores "
        f"where model = '{MODEL}')) from crm_ai.scores where model = '{MODEL}'"
    )[0]
    with lake.connect(with_crm=True) as connection:
        found = approval.measure(
            connection,
            AgentRun("next", agent.AGENT, DAY),
            WORTH.write_back,
            model=MODEL,
            incoming=f"select entity_id, 1.1 * value as value from crm_db.crm_ai.scores where model = '{MODEL}'",
            unit="amount",
        )
    assert found.material == pytest.approx(0.2 * mean)
    assert found.moved == above > 0
    assert found.moves == pytest.approx(0.1 * found.total)
    assert approval.limits_exceeded(found, WORTH.write_back) == []


def the_log_gives_what_it_says() -> None:
    with lake.connect() as connection:
        described = connection.execute(f"describe {purchase_log.query('orders', DAY)}").fetchall()
    assert tuple(row[0] for row in described) == purchase_log.COLUMNS["orders"]


@pytest.mark.parametrize(
    ("last_on", "days"), [("2024-12-31", 365), ("2024-01-02", 365), ("2023-12-31", 360), ("2022-06-30", 90)]
)
def test_the_horizon_follows_from_the_history(installation: Path, last_on: str, days: int) -> None:
    with lake.connect() as connection:
        connection.execute(
            "create table marts.fct_orders as select 'c' as customer_id, date '2022-01-01' as ordered_on, true as is_purchase"
        )
    company, spec = Company(name="test", title="Test"), find_model(MODEL)
    assert horizons.horizon_days(spec, company, date.fromisoformat(last_on)) == days
    assert horizons.horizon_days(spec, WORTH, date.fromisoformat(last_on)) == 180
    assert horizons.horizon_days(spec, company, date(2021, 1, 1)) == 90  # nobody has bought by then
