"""From 100,000 wishes to rows of the outbox, every rule looked at, beside a bare COPY of as many rows.

    .venv/bin/python benchmarks/outbox.py [--wishes 100000] [--customers 200000]

Starts a PostgreSQL of its own in a temporary folder, fills it with customers in nine countries, their consents and interactions,
some of which are refusals, and times, in the same run:

* floor: one COPY of the permitted rows, out of a file that is ready, into a table like the outbox with its indexes;
* ours, the first check: ``outbox.check``, which also remembers every refusal that the CRM has ever seen;
* ours, from then on: ``outbox.fill``, which checks again, writes with the ledger and notes every block.

Both tables must hold the same rows, and the customers who get something must be those that PostgreSQL finds by itself.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, date, datetime

from temporary_home import temporary_installation

from crm_agents import lake, outbox, postgres, writeback
from crm_agents.agents.frame import AgentRun
from crm_agents.contact_settings import Outreach
from crm_agents.outbox.table import TARGET

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
RUN = AgentRun("r1", "benchmark", date(2026, 3, 9))
COLUMNS = ", ".join(TARGET.columns)
COUNTRIES = "array['DE', 'FR', 'GB', 'IE', 'US', 'Brazil', 'Japan', 'Italy', 'Spain', null]"
WHO_MAY = """
    with told as (
        select customer_id,
            bool_or(outcome in ('complained', 'undeliverable') or kind = 'unsubscribe') as has_refused,
            count(*) filter (where outcome = 'bounced')::integer as bounces,
            max(occurred_at) filter (where outcome = 'bounced') as bounced_at,
            bool_or(direction = 'outbound' and occurred_at >= '2026-03-10' and occurred_at < '2026-03-11') as is_contacted
        from crm.interactions group by customer_id
    )
    select count(*), md5(string_agg(customer_id, ',' order by customer_id))
    from wished w
    join crm.customers c using (customer_id)
    join crm.consents k using (customer_id)
    join told t using (customer_id)
    where k.channel = 'email' and k.purpose = 'marketing' and k.granted and k.captured_at <= %(at)s
    and t.has_refused is not true and t.is_contacted is not true
    and (bounces = 0 or bounced_at + interval '1 day' * (array[7, 14, 30, 180])[least(bounces, 4)] <= %(at)s)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wishes", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=200_000)
    arguments = parser.parse_args()
    outreach = Outreach(max_per_week=100, max_per_month=100)
    with temporary_installation("outbox"):
        populate(arguments.customers, arguments.wishes)
        with lake.connect(with_crm=True) as connection:
            connection.execute(
                "create temp table wishes as select 'd' || i as decision_id, 'c' || i as customer_id, 'email' as channel, "
                "'marketing' as purpose, 'win_back' as template, json_object('discount', i % 20) as variables, 'mail' as action "
                f"from range({arguments.wishes}) t(i)"
            )
            check_seconds, checked = timed(lambda: outbox.check(connection, "wishes", RUN, outreach, AT))
            floor_seconds = copy(connection)
            fill_seconds, filled = timed(lambda: outbox.fill(connection, "wishes", RUN, outreach, AT))
            assert filled.checked == checked, (filled, checked)
        verify(checked.permitted)
    print(
        f"{arguments.wishes:,} wishes: {checked.summary} Equal rows in both tables, and the customers whom PostgreSQL finds."
    )
    print(f"floor (bare COPY of {checked.permitted:,} rows): {floor_seconds:.2f} s")
    print(f"ours, the first check: {check_seconds:.2f} s = {check_seconds / floor_seconds:.1f} x floor")
    print(f"ours, from then on:    {fill_seconds:.2f} s = {fill_seconds / floor_seconds:.1f} x floor")


def populate(customers: int, wishes: int) -> None:
    """Fill the CRM: 70 % agree, 1 in 20 consents has no date, 1 in 100 interactions is a refusal or came back."""
    with postgres.connect() as crm:
        crm.execute("set synchronous_commit = off")
        crm.execute(
            f"insert into crm.customers (customer_id, country) select 'c' || i, ({COUNTRIES})[1 + i % 10] "
            f"from generate_series(0, {customers - 1}) i"
        )
        crm.execute(
            "insert into crm.consents (customer_id, channel, purpose, granted, basis, captured_at) select 'c' || i, channel, "
            "'marketing', hashint4(i * 7 + length(channel)) % 10 < 4, 'web form', "
            "case when hashint4(i + 3) % 20 <> 0 then timestamptz '2025-01-01' + interval '1 hour' * (i % 9000) end "
            f"from generate_series(0, {customers - 1}) i, unnest(array['email', 'phone', 'sms', 'mail']) channel"
        )
        crm.execute(
            "insert into crm.interactions (interaction_id, customer_id, channel, direction, kind, outcome, occurred_at) "
            "select 'i' || i, 'c' || (i / 5), 'email', case when i % 3 = 0 then 'outbound' else 'inbound' end, "
            "case when hashint4(i) % 1000 = 0 then 'unsubscribe' else 'message' end, "
            "case abs(hashint4(i + 1)) % 300 when 0 then 'complained' when 1 then 'undeliverable' when 2 then 'bounced' end, "
            "timestamptz '2025-03-12' + interval '1 minute' * (abs(hashint4(i + 2)) % 526000) "
            f"from generate_series(0, {5 * customers - 1}) i"
        )
        crm.execute(
            "insert into crm_ai.decisions (decision_id, run_id, agent, entity_type, entity_id, options, chosen, policy, reason, "
            f"as_of) select 'd' || i, 'r1', 'benchmark', 'customer', 'c' || i, '{{}}', 'mail', 'p', 'why', '2026-03-09' "
            f"from generate_series(0, {wishes - 1}) i"
        )
        crm.execute("create table bare (like crm_ai.outbox including all)")
        crm.execute(f"create table wished as select 'c' || i as customer_id from generate_series(0, {wishes - 1}) i")
    with postgres.connect(autocommit=True) as crm:
        crm.execute("vacuum analyze")


def copy(connection) -> float:
    """Write the permitted rows into a table like the outbox with one COPY; return its seconds."""
    with writeback.scratch_folder() as folder:
        path = folder / "rows.csv"
        writeback.export_csv(connection, f"select {COLUMNS} from {outbox.PERMITTED}", path)
        started = time.perf_counter()
        with postgres.connect() as crm, crm.cursor() as cursor:
            writeback.copy_csv(cursor, "bare", COLUMNS, path)
        return time.perf_counter() - started


def verify(permitted: int) -> None:
    """Stop when the tables differ, or other customers would get something than those whom PostgreSQL finds."""
    with postgres.connect() as crm:
        ours, bare = (f"(select {COLUMNS} from {table})" for table in ("crm_ai.outbox", "bare"))
        assert crm.execute(f"select count(*) from ({ours} except {bare}) x").fetchone() == (0,)
        assert crm.execute("select (select count(*) from crm_ai.outbox), (select count(*) from bare)").fetchone() == (
            permitted,
            permitted,
        )
        found = crm.execute(
            "select count(*), md5(string_agg(recipient_id, ',' order by recipient_id)) from crm_ai.outbox"
        ).fetchone()
        assert found == crm.execute(WHO_MAY, {"at": AT}).fetchone(), found
        ledger = "select count(*) from crm_ai.write_ledger where table_name = 'crm_ai.outbox'"
        assert crm.execute(ledger).fetchone() == (permitted,)


def timed(work):
    """Return the seconds that `work` took, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
