"""What a build adds to the marts is what building them anew gives, whatever happened in the CRM in between."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crm_agents.marts import running
from crm_agents.settings import load_settings
from tests.raw_lake import AS_OF, RawLake

EARLIER, LATER = date(2024, 5, 31), date(2024, 7, 31)
CUTOFFS = {"cutoffs": [AS_OF, EARLIER], "label_windows": [(EARLIER, 30)]}
FILES = """
    select table_name, file_count, delete_file_count from ducklake_table_info('lake')
    where table_name not in ('build_state', 'lbl_customers') order by 1
"""


def draw(size: int, stream: int) -> str:
    """SQL: a whole number below `size` that looks random but depends on the row number i only."""
    return f"(hash(i * 1000 + {stream}) % {size})::integer"


CUSTOMER = f"'c' || {draw(40, 1)}"
DAY = f"timestamptz '2023-01-01 12:00' + {draw(600, 2)} * interval '1 day'"
COMPANY = {
    "customers": f"select 'c' || i as customer_id, 'person' as kind, {DAY} as created_at, timestamptz '2024-01-01' as "
    "updated_at, 'r' || (i % 3) as owner_rep_id from range(40) t(i)",
    "products": "select 'p' || i as product_id from range(8) t(i)",
    "orders": f"select 'o' || i as order_id, case when {draw(9, 3)} > 0 then {CUSTOMER} end as customer_id, {DAY} as "
    f"ordered_at, (['completed', 'placed', 'cancelled', 'returned'])[1 + {draw(4, 4)}] as status, "
    f"{DAY} + interval '3 days' as promised_at, {DAY} + {draw(6, 5)} * interval '1 day' as delivered_at, "
    f"{DAY} + {draw(90, 16)} * interval '1 day' as updated_at from range(300) t(i)",
    "order_items": f"select 'o' || (i // 3) as order_id, (i % 3)::integer as line_no, 'p' || {draw(8, 6)} as product_id, "
    f"{draw(5, 7)} - 1 as quantity, 0.35 * {draw(30, 8)} as unit_price, 0.1 * {draw(2, 9)} as discount, "
    f"{draw(20, 10)} = 0 as is_duplicate from range(900) t(i)",
    "payments": f"select 'y' || i as payment_id, 'o' || i as order_id, {draw(90, 11)} as amount from range(290) t(i)",
    "interactions": f"select 'i' || i as interaction_id, {CUSTOMER} as customer_id, {DAY} as occurred_at, "
    f"(['web', 'email'])[1 + {draw(2, 12)}] as channel, (['visit', 'open'])[1 + {draw(2, 13)}] as kind from range(400) t(i)",
    "tickets": f"select 't' || i as ticket_id, {CUSTOMER} as customer_id, {DAY} as opened_at, 'open' as status "
    "from range(30) t(i)",
    "feedback": f"select 'f' || i as feedback_id, {CUSTOMER} as customer_id, {DAY} as given_at, 'csat' as kind, "
    f"1 + {draw(5, 14)} as score from range(50) t(i)",
    "loyalty_transactions": f"select 'l' || i as transaction_id, {CUSTOMER} as customer_id, {DAY} as occurred_at, "
    f"{draw(50, 15)} as points from range(50) t(i)",
    "campaign_members": f"select 'k' || (i // 30) as campaign_id, 'c' || (i % 30) as customer_id, {DAY} as sent_at "
    "from range(60) t(i)",
    "opportunities": f"select 'd' || i as opportunity_id, {CUSTOMER} as customer_id, 'engaging' as stage, 100 as amount, "
    f"{DAY} as created_at, timestamptz '2024-01-01' as updated_at from range(20) t(i)",
}


def live(table: str) -> str:
    return f"select * exclude (_batch, _deleted) from lake.raw.{table}"


def change_everything(raw: RawLake) -> None:
    """One of each: rows added, moved to another customer or day, changed, deleted; a column that the CRM has gained."""
    raw.query("alter table lake.raw.orders add column note VARCHAR")
    orders = f"{live('orders')} where order_id in"
    raw.arrive_from("orders", f"select * replace ('c1' as customer_id) from ({orders} ('o1', 'o2'))")
    raw.arrive_from("orders", f"select * replace (null as customer_id) from ({orders} ('o3'))")
    raw.arrive_from("orders", f"select * replace (timestamptz '2023-02-01' as ordered_at) from ({orders} ('o4', 'o5'))")
    raw.arrive_from("orders", f"select * replace (null::timestamptz as ordered_at) from ({orders} ('o6'))")
    raw.arrive_from(
        "orders",
        "select * replace ('cancelled' as status, updated_at + interval '40 days' as updated_at) "
        f"from ({orders} ('o7', 'o8'))",
    )
    raw.arrive_from("orders", f"select * replace ('n' || order_id as order_id) from ({orders} ('o9', 'o10'))")
    raw.arrive_from(
        "order_items", f"select * replace (9 as quantity) from ({live('order_items')} where order_id = 'o11')"
    )
    raw.arrive_from(
        "order_items", f"select * replace (7 as line_no) from ({live('order_items')} where order_id = 'o12')"
    )
    raw.arrive(
        "order_items",
        "order_id line_no product_id quantity unit_price",
        ("no9", 1, "p1", 1, 5),
        ("gone", 1, "p1", 1, 5),
    )
    raw.arrive("payments", "payment_id order_id amount", ("y13", "o14", 11))
    raw.vanish("orders", "order_id in ('o15', 'o16')")
    raw.vanish("order_items", "order_id in ('o15', 'o17') or (order_id = 'o18' and line_no = 1)")
    raw.vanish("payments", "payment_id = 'y19'")
    for table, key in (("interactions", "i1"), ("tickets", "t1"), ("feedback", "f1"), ("loyalty_transactions", "l1")):
        column = "transaction_id" if table.startswith("loyalty") else f"{table.rstrip('s')}_id"
        raw.arrive_from(table, f"select * replace ('c2' as customer_id) from ({live(table)} where {column} = '{key}')")
        raw.vanish(table, f"{column} = '{key[0]}2'")
    raw.arrive_from(
        "opportunities",
        "select * replace ('c2' as customer_id, 'won' as stage, timestamptz '2024-02-01' as updated_at) "
        f"from ({live('opportunities')} where opportunity_id = 'd1')",
    )
    raw.vanish("campaign_members", "customer_id = 'c3'")
    raw.arrive_from(
        "customers", f"select * replace ('FR' as country) from ({live('customers')} where customer_id = 'c4')"
    )
    raw.vanish("customers", "customer_id = 'c5'")
    raw.arrive("customers", "customer_id created_at", ("new", "2024-06-01"))


@pytest.fixture
def raw(installation: Path) -> RawLake:
    """A company of 40 customers in the lake's raw tables, nothing built yet."""
    lake = RawLake()
    for table, query in COMPANY.items():
        lake.arrive_from(table, query)
    return lake


def test_adding_what_changed_equals_building_anew(raw: RawLake) -> None:
    raw.build(**CUTOFFS)
    first, files = raw.contents(), raw.query(FILES)
    raw.build(**CUTOFFS)
    assert raw.query(FILES) == files  # nothing new, nothing written
    raw.batch = 2
    change_everything(raw)
    raw.build(**CUTOFFS)
    added = raw.contents()
    touched = raw.query("select count(*) from features.ftr_customers where _batch = 2")
    raw.build(**CUTOFFS, full_refresh=True)
    assert added == raw.contents()
    changed = {name for name in added if added[name] != first[name]}
    assert changed >= {"marts.fct_orders", "marts.fct_sales_daily", "features.ftr_customers", "features.lbl_customers"}
    assert 0 < touched[0][0] < added["features.ftr_customers"][0] * 0.7  # and not because all was rebuilt
    history = (
        "select stage, dbt_valid_to is null from marts.opportunities_history where opportunity_id = 'd1' order by 2"
    )
    assert raw.query(history) == [("engaging", False), ("won", True)]


def test_what_arrives_while_models_run_is_seen_by_the_next_build(raw: RawLake) -> None:
    raw.build()
    raw.batch = 2
    change_everything(raw)
    run_as_if_batch_2_came_after_its_start()
    raw.build()
    added = raw.contents()
    raw.build(full_refresh=True)
    assert added == raw.contents()


def run_as_if_batch_2_came_after_its_start() -> None:
    """Half of the models see batch 2 although the run began with batch 1."""
    variables = {"as_of": AS_OF.isoformat(), "newest_batch": 1, "purchase_statuses": ["completed", "placed"]}
    variables["non_product_codes"] = ["POST"]
    command = ["build", "--select", "fct_orders", "fct_feedback", "int_customer_opportunities", "ftr_customers"]
    command += ["--resource-type", "model"]
    nodes, _ = running.run_dbt(command, variables, load_settings(), threads=1)
    assert {node.status for node in nodes} == {"success"}
