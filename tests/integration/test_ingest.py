"""ingest: only what changed, deletes as tombstones, nothing half done."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
import pytest

from crm_agents import ingest, lake, postgres
from crm_agents.agents import frame
from crm_agents.errors import CrmAgentsError


@pytest.fixture
def crm(installation: Path):
    with postgres.connect(autocommit=True) as connection:
        connection.execute(
            "insert into crm.customers (customer_id, city, updated_at) "
            "select 'c' || i, 'Rome', timestamptz '2024-01-01' + i * interval '1 hour' from generate_series(1, 1000) i"
        )
        connection.execute(
            "insert into crm.orders (order_id, customer_id, ordered_at, updated_at) select 'o' || i, 'c' || i, "
            "timestamptz '2024-01-01' + i * interval '1 hour', timestamptz '2024-01-01' + i * interval '1 hour' "
            "from generate_series(1, 1000) i"
        )
        yield connection


def rows(query: str) -> list[tuple]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def moved(result: ingest.IngestResult, table: str) -> tuple[int, int]:
    counts = next(counts for counts in result.tables if counts.table == table)
    return counts.upserted, counts.deleted


def test_first_run_moves_all_second_none(crm: psycopg.Connection) -> None:
    first = ingest.run(run_id="r1")
    snapshot = rows("select max(snapshot_id) from ducklake_snapshots('lake')")
    second = ingest.run(run_id="r2")
    assert (moved(first, "customers"), moved(first, "orders"), first.batch_id) == ((1000, 0), (1000, 0), 1)
    assert (second.rows_moved, second.moved, second.batch_id) == (0, False, 1)
    assert rows("select max(snapshot_id) from ducklake_snapshots('lake')") == snapshot
    assert rows("select count(*), sum(_batch) from raw.customers") == [(1000, 1000)]


def test_change_insert_delete(crm: psycopg.Connection) -> None:
    ingest.run(run_id="r1")
    crm.execute("update crm.customers set city = 'Oslo' where customer_id in ('c1', 'c2')")
    crm.execute("insert into crm.orders (order_id, customer_id) values ('new', 'c1')")
    crm.execute("delete from crm.orders where order_id in ('o5', 'o6', 'o7')")
    result = ingest.run(run_id="r2")
    assert moved(result, "customers") == (2, 0)
    assert moved(result, "orders") == (1, 3)
    assert rows("select count(*) from raw.orders where not _deleted") == [(998,)]
    assert rows("select order_id, _batch from raw.orders where _deleted order by 1") == [
        ("o5", 2),
        ("o6", 2),
        ("o7", 2),
    ]
    crm.execute("insert into crm.orders (order_id, customer_id) values ('o5', 'c9')")
    ingest.run(run_id="r3")
    assert rows("select customer_id, _deleted from raw.orders where order_id = 'o5'") == [("c9", False)]


def test_old_row_inserted_below_the_watermark_is_found(crm: psycopg.Connection) -> None:
    ingest.run(run_id="r1")
    crm.execute("insert into crm.orders (order_id, updated_at) values ('late', '2001-01-01')")
    assert moved(ingest.run(run_id="r2"), "orders") == (1, 0)


def test_delete_and_late_insert_that_cancel_out_are_found(crm: psycopg.Connection) -> None:
    ingest.run(run_id="r1")
    crm.execute("delete from crm.orders where order_id = 'o1'")
    crm.execute("insert into crm.orders (order_id, updated_at) values ('late', '2001-01-01')")
    crm.execute("select pg_stat_force_next_flush()")
    assert moved(ingest.run(run_id="r2"), "orders") == (1, 1)


def test_new_column_is_kept(crm: psycopg.Connection) -> None:
    ingest.run(run_id="r1")
    crm.execute("alter table crm.customers add column shoe_size integer")
    crm.execute("update crm.customers set shoe_size = 43 where customer_id = 'c7'")
    ingest.run(run_id="r2")
    assert rows("select customer_id, shoe_size from raw.customers where shoe_size is not null") == [("c7", 43)]


def test_changed_type_goes_to_quarantine(crm: psycopg.Connection) -> None:
    ingest.run(run_id="r1")
    crm.execute("alter table crm.orders alter column ordered_at type text")
    crm.execute("update crm.orders set ordered_at = 'yesterday' where order_id = 'o1'")
    crm.execute("update crm.orders set ordered_at = '2024-02-03 00:00:00+00' where order_id = 'o2'")
    result = ingest.run(run_id="r2")
    assert moved(result, "orders") == (1, 0)
    quarantined = crm.execute("select row ->> 'order_id', reason from crm_ai.quarantine").fetchall()
    assert quarantined == [("o1", "ordered_at: 'yesterday' is not TIMESTAMPTZ.")]
    assert rows("select ordered_at::date::varchar from raw.orders where order_id = 'o2'") == [("2024-02-03",)]


def test_missing_optional_table_is_fine(crm: psycopg.Connection) -> None:
    crm.execute("drop table crm.tickets")
    ingest.run(run_id="r1")
    assert rows("select count(*) from raw.tickets") == [(0,)]


def test_missing_customers_is_told(crm: psycopg.Connection) -> None:
    crm.execute("drop table crm.customers")
    with pytest.raises(CrmAgentsError, match=r"no table crm\.customers"):
        ingest.run(run_id="r1")


def test_failure_half_way_leaves_the_lake_as_it_was(crm: psycopg.Connection) -> None:
    ingest.run(run_id="r1")
    crm.execute("update crm.customers set city = 'Oslo'")
    crm.execute("update crm.orders set status = 'shipped'")
    before = rows("select city, count(*) from raw.customers group by all")

    class StopError(Exception):
        pass

    def stop_after_the_first_table(_message: str) -> None:
        raise StopError

    with pytest.raises(StopError):
        ingest.run(run_id="r2", progress=stop_after_the_first_table)
    assert rows("select city, count(*) from raw.customers group by all") == before
    completed = ingest.run(run_id="r3")
    assert (moved(completed, "customers"), moved(completed, "orders")) == ((1000, 0), (1000, 0))


def test_a_batch_that_never_got_through_is_published_again(crm: psycopg.Connection) -> None:
    assert ingest.is_worth_publishing(ingest.run(run_id="r1"))
    idle = ingest.run(run_id="r2")
    assert not ingest.is_worth_publishing(idle), "the batch is still on its way"
    assert ingest.is_worth_publishing(idle, always=True)
    crm.execute("update crm_ai.ingest_counts set at = at - interval '1 hour'")
    assert ingest.is_worth_publishing(idle)
    frame.finish(frame.AgentRun("b1", "build_marts", date(2026, 1, 1)), "done", batch_id=idle.batch_id)
    assert not ingest.is_worth_publishing(idle)
