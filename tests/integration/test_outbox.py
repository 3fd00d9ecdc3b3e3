"""The outbox in a real CRM: written once, with ledger and undo, never against a no, closed when something cannot be read."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import psycopg
import pytest

from crm_agents import lake, outbox, postgres
from crm_agents.agents.frame import AgentRun
from crm_agents.contact_settings import Outreach
from crm_agents.errors import CrmAgentsError
from crm_agents.outbox import suppressions
from crm_agents.undo import undo

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
OUTREACH = Outreach(max_per_day=1, max_per_week=2, max_per_month=3)
ROWS = (
    "select outbox_id, recipient_id, channel, status, status_reason from crm_ai.outbox order by recipient_id, channel"
)


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def do(query: str) -> None:
    with postgres.connect() as crm:
        crm.execute(query)


@pytest.fixture
def crm(installation: Path) -> None:
    """Ten customers who agree to marketing mails and calls, and a decision for each of them."""
    do(
        """
        insert into crm.customers (customer_id, name, email, country)
        select 'c' || i, 'Name ' || i, 'c' || i || '@example.org', 'DE' from generate_series(0, 9) i;
        insert into crm.consents (customer_id, channel, purpose, granted, basis, captured_at)
        select 'c' || i, channel, 'marketing', true, 'web form', '2025-01-01'
        from generate_series(0, 9) i, unnest(array['email', 'phone']) channel;
        """
    )
    decide("r1")


def decide(run_id: str) -> None:
    """Write the decisions that the wishes of a run refer to."""
    do(
        "insert into crm_ai.decisions (decision_id, run_id, agent, entity_type, entity_id, options, chosen, policy, reason, "
        f"as_of) select '{run_id}-' || i, '{run_id}', 'a', 'customer', 'c' || i, '{{}}', 'win_back', 'p', 'why', '2026-03-09' "
        "from generate_series(0, 9) i"
    )


def fill(
    run_id: str = "r1", at: datetime = AT, channels: str = "'email'", outreach: Outreach = OUTREACH
) -> outbox.Filled:
    """Wish for a message to each of the ten, on each of the channels."""
    with lake.connect(with_crm=True) as connection:
        wish(connection, run_id, channels)
        return outbox.fill(connection, "wishes", AgentRun(run_id, "a", date(2026, 3, 9)), outreach, at)


def wish(connection: duckdb.DuckDBPyConnection, run_id: str, channels: str = "'email'") -> None:
    connection.execute(
        f"create temp table wishes as select '{run_id}-' || i as decision_id, 'c' || i as customer_id, channel, "
        "'marketing' as purpose, 'win_back' as template, json_object('discount', 10, 'text', 'ä \"x\", \\N 🎁') as variables, "
        f"'mail' as action from range(10) t(i), unnest([{channels}]) u(channel)"
    )


def test_rows_are_written_with_decision_consent_and_ledger(crm: None) -> None:
    filled = fill()
    assert (filled.checked.permitted, filled.checked.blocked, filled.written.inserted) == (10, {}, 10)
    assert ask(
        "select decision_id, run_id, agent, kind, channel, purpose, recipient_id, template, variables ->> 'text', not_before, "
        "consent_basis, status, as_of from crm_ai.outbox where recipient_id = 'c3'"
    ) == [
        (
            *("r1-3", "r1", "a", "message", "email", "marketing", "c3", "win_back", 'ä "x", \\N 🎁', AT),
            *("web form, captured 2025-01-01 00:00 UTC", "ready", date(2026, 3, 9)),
        )
    ]
    assert ask(
        "select table_name, operation, count(*), count(distinct decision_id) from crm_ai.write_ledger group by 1, 2"
    ) == [("crm_ai.outbox", "insert", 10, 10)]
    assert ask("select count(*) from crm_ai.outbox where outbox::text like '%@%' or outbox::text like '%Name%'") == [
        (0,)
    ]


def test_the_same_batch_twice_is_written_once(crm: None) -> None:
    first = fill(channels="'email', 'phone'")
    before = ask("select *, ctid from crm_ai.outbox order by outbox_id")
    again = fill(channels="'email', 'phone'")
    assert first.checked == again.checked
    assert first.checked.blocked == {"frequency.day": 10}
    assert (again.written.writes, again.written.unchanged, again.cancelled) == (0, 10, 0)
    assert ask("select *, ctid from crm_ai.outbox order by outbox_id") == before
    assert ask("select count(*) from crm_ai.write_ledger") == [(10,)]


def test_what_a_person_or_the_sender_did_stays_when_the_batch_comes_again(crm: None) -> None:
    fill()
    do("update crm_ai.outbox set status = 'sent' where recipient_id = 'c1'")
    do("update crm_ai.outbox set status = 'cancelled' where recipient_id = 'c2'")
    assert fill().written.writes == 0
    assert ask("select recipient_id, status from crm_ai.outbox where status <> 'ready' order by 1") == [
        ("c1", "sent"),
        ("c2", "cancelled"),
    ]


def test_undo_takes_rows_back_but_not_those_that_were_sent(crm: None) -> None:
    fill()
    do("update crm_ai.outbox set status = 'sent' where recipient_id = 'c1'")
    report = undo("r1")
    assert (report.removed, report.kept_count, report.kept[0]["table"]) == (9, 1, "crm_ai.outbox")
    assert [row[1:4] for row in ask(ROWS)] == [("c1", "email", "sent")]
    assert ask("select distinct outcome from crm_ai.decisions") == [("undone",)]
    assert ask("select count(*) from crm_ai.suppressions") == [(0,)]


def test_a_crash_in_the_middle_leaves_nothing(crm: None) -> None:
    do(
        "create function crm_ai.crash() returns trigger language plpgsql as $$ begin raise 'out of luck'; end $$;"
        "create trigger crash before insert on crm_ai.write_ledger for each row "
        "when (new.decision_id = 'r1-7') execute function crm_ai.crash()"
    )
    with pytest.raises(psycopg.Error, match="out of luck"):
        fill()
    assert ask("select (select count(*) from crm_ai.outbox), (select count(*) from crm_ai.write_ledger)") == [(0, 0)]
    do("drop trigger crash on crm_ai.write_ledger")
    assert fill().written.inserted == 10


def test_blocks_stand_in_the_decisions_and_go_when_they_no_longer_hold(crm: None) -> None:
    do("update crm.consents set captured_at = null where customer_id = 'c4' and channel = 'email'")
    do("delete from crm.consents where customer_id = 'c5'")
    assert fill().checked.blocked == {"consent.missing": 1, "consent.undated": 1}
    noted = (
        "select decision_id, blocked_by, blocked_reason from crm_ai.decisions where blocked_by is not null order by 1"
    )
    assert ask(noted) == [
        ("r1-4", "consent.undated", "mail: The consent to email for marketing does not say when it was given."),
        ("r1-5", "consent.missing", "mail: There is no consent to email for marketing."),
    ]
    do("update crm.consents set captured_at = '2026-01-01' where customer_id = 'c4'")
    assert fill(channels="'email', 'phone'").written.inserted == 1  # the others have had their one contact of the day
    assert ask(noted)[:1] == [("r1-0", "frequency.day", "mail: Contact 2 within 1 day(s), where 1 are allowed.")]
    assert ask("select blocked_by from crm_ai.decisions where decision_id = 'r1-5'") == [("consent.missing",)]


def test_an_opt_out_wins_over_a_later_grant_and_over_deleted_rows(crm: None) -> None:
    do(
        "update crm.consents set granted = false, captured_at = '2026-02-01' where customer_id = 'c1' and channel = 'email'"
    )
    do(
        "insert into crm.interactions (interaction_id, customer_id, channel, kind, occurred_at) values "
        "('i1', 'c2', 'email', 'unsubscribe', '2026-02-02'), ('i2', null, 'email', 'unsubscribe', '2026-02-02')"
    )
    assert fill().checked.blocked == {"consent.withdrawn": 1, "suppression.opt_out": 1}
    do("update crm.consents set granted = true, captured_at = '2026-03-12' where customer_id = 'c1'")
    do("delete from crm.interactions")
    decide("r2")
    later = fill("r2", AT + timedelta(400), "'email', 'phone'", Outreach(max_per_day=2))
    assert later.checked.blocked == {"suppression.opt_out": 2}
    assert later.checked.permitted == 18
    assert ask(
        "select customer_id, kind, channel, purpose, occurred_at::date, run_id from crm_ai.suppressions order by 1"
    ) == [
        ("c1", "opt_out", "email", "marketing", date(2026, 2, 1), "r1"),
        ("c2", "opt_out", "email", None, date(2026, 2, 2), "r1"),
    ]


def test_complaints_and_bounces_are_remembered(crm: None) -> None:
    do(
        "insert into crm.interactions (interaction_id, customer_id, channel, direction, kind, outcome, occurred_at) values "
        "('i1', 'c1', 'phone', 'inbound', 'call', 'complained', '2020-02-02'), "
        "('i2', 'c2', 'email', 'outbound', 'message', 'bounced', '2026-02-01'), "
        "('i3', 'c2', 'email', 'outbound', 'message', 'Bounced', '2026-02-27'), "
        "('i4', 'c3', 'email', 'outbound', 'message', 'undeliverable', '2020-02-02'), "
        "('i5', 'c4', 'phone', 'inbound', 'unsubscribe', 'complained', '2020-02-02'), "
        "('i6', 'c5', 'phone', 'outbound', 'call', 'reached', '2020-02-02')"
    )
    filled = fill(channels="'email', 'phone'", outreach=Outreach(max_per_day=9, max_per_week=9, max_per_month=9))
    assert filled.checked.blocked == {
        "suppression.complaint": 4,
        "suppression.bounce": 1,
        "suppression.undeliverable": 1,
    }
    do("delete from crm.interactions")
    assert suppressions.remember("r2") == 0
    assert ask("select kind, count(*) from crm_ai.suppressions group by 1 order by 1") == [
        *[("complaint", 2), ("hard_bounce", 1), ("opt_out", 1), ("soft_bounce", 2)]
    ]


def test_caps_hold_over_several_runs(crm: None) -> None:
    do(
        "insert into crm.interactions (interaction_id, customer_id, channel, direction, kind, occurred_at) values "
        "('i1', 'c0', 'phone', 'outbound', 'call', '2026-03-10 09:00+00'), "
        "('i2', 'c1', 'web', 'inbound', 'visit', '2026-03-10 09:00+00')"
    )
    passed = []
    for place, days in enumerate([0, 0, 1, 2, 7, 8, 30]):
        decide(f"r{place + 2}")
        passed.append(fill(f"r{place + 2}", AT + timedelta(days)).checked)
    assert [(checked.permitted, *checked.blocked) for checked in passed] == [
        (9, "frequency.day"),  # c0 was called today
        (0, "frequency.day"),
        (10,),
        (0, "frequency.week"),
        (10,),
        (0, "frequency.month"),
        (10,),
    ]


def test_what_the_sender_logs_under_the_outbox_id_counts_once(crm: None) -> None:
    fill()
    do(
        "insert into crm.interactions (interaction_id, customer_id, channel, direction, kind, occurred_at) "
        "select outbox_id, recipient_id, channel, 'outbound', 'message', not_before + interval '5 minutes' from crm_ai.outbox"
    )
    do("update crm_ai.outbox set status = 'sent'")
    decide("r2")
    assert fill("r2", AT + timedelta(1)).checked.permitted == 10


def test_ready_rows_are_cancelled_when_the_customer_says_no_or_goes(crm: None) -> None:
    fill()
    do("update crm.consents set granted = false where customer_id = 'c1' and channel = 'email'")
    do("delete from crm.customers where customer_id = 'c2'")
    do("update crm_ai.outbox set status = 'sent' where recipient_id = 'c3'")
    do("update crm.consents set granted = false where customer_id = 'c3'")
    decide("r2")
    with lake.connect(with_crm=True) as connection:
        assert outbox.recheck(connection, AgentRun("r2", "sender", date(2026, 3, 10)), OUTREACH, AT) == 2
        assert outbox.recheck(connection, AgentRun("r3", "sender", date(2026, 3, 10)), OUTREACH, AT) == 0
    assert [row[1:] for row in ask(ROWS) if row[3] == "cancelled"] == [
        (
            "c1",
            "email",
            "cancelled",
            "consent.withdrawn: Consent to email for marketing is refused or withdrawn since 2025-01-01.",
        ),
        ("c2", "email", "cancelled", "customer.unknown: The CRM has no such customer (any more)."),
    ]
    assert undo("r2").restored == 2
    with lake.connect(with_crm=True) as connection:
        assert outbox.recheck(connection, AgentRun("r4", "sender", date(2026, 3, 10)), OUTREACH, AT) == 2


def test_an_agents_next_run_cancels_first_and_the_place_is_free(crm: None) -> None:
    fill()
    do("update crm.consents set granted = false where customer_id = 'c1' and channel = 'email'")
    decide("r2")
    filled = fill("r2", channels="'phone'")
    assert (filled.cancelled, filled.checked.permitted) == (1, 1)
    report = undo("r2")
    assert (report.removed, report.restored) == (1, 1)


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("crm.customers", "customer.unreadable"),
        ("crm.consents", "consent.unreadable"),
        ("crm_ai.suppressions", "suppression.unreadable"),
        ("crm.interactions", "suppression.unreadable"),
    ],
)
def test_what_cannot_be_read_blocks_everything(crm: None, table: str, rule: str) -> None:
    fill()
    decide("r2")
    do(f"alter table {table} rename to somewhere_else")
    filled = fill("r2", AT + timedelta(1))
    assert (filled.checked.permitted, filled.checked.blocked, filled.written.writes) == (0, {rule: 10}, 0)
    ((said, count),) = ask("select blocked_reason, count(*) from crm_ai.decisions where run_id = 'r2' group by 1")
    assert count == 10
    assert f'relation "{table}" does not exist' in said
    assert "nobody is contacted" in said
    assert "c1" not in said
    with (
        lake.connect(with_crm=True) as connection,
        pytest.raises(CrmAgentsError, match=r"cannot be read .*Send nothing"),
    ):
        outbox.recheck(connection, AgentRun("r3", "a", date(2026, 3, 9)), OUTREACH, AT)
    schema = table.split(".")[0]
    do(f"alter table {schema}.somewhere_else rename to {table.split('.')[1]}")
    assert fill("r2", AT + timedelta(1)).written.inserted == 10


def test_a_consents_table_of_another_form_blocks_everything(crm: None) -> None:
    do("alter table crm.consents rename column captured_at to taken_at")
    assert fill().checked.blocked == {"consent.unreadable": 10}


def test_a_moment_without_a_zone_is_refused(crm: None) -> None:
    with pytest.raises(CrmAgentsError, match="has no time zone"):
        fill(at=AT.replace(tzinfo=None))


def test_two_agents_at_once_do_not_both_contact_a_customer(crm: None) -> None:
    for run_id in ("r2", "r3", "r4"):
        decide(run_id)
    threads = [threading.Thread(target=fill, args=(run_id,)) for run_id in ("r2", "r3", "r4")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask("select count(*), count(distinct recipient_id), count(distinct run_id) from crm_ai.outbox") == [
        (10, 10, 1)
    ]
    assert ask("select count(*) from crm_ai.decisions where blocked_by = 'frequency.day'") == [(20,)]


def test_many_customers_are_read_whole(crm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from crm_agents.outbox import sources, table

    few = fill(channels="'email', 'phone'")
    for module in (sources, table):
        monkeypatch.setattr(module, "MOST_KEYS", 3)
    assert fill(channels="'email', 'phone'").checked == few.checked
    decide("r2")
    assert fill("r2", AT + timedelta(1)).written.inserted == 10
