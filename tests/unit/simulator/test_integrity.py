"""The tables fit together, in keys, in time and in money."""

from __future__ import annotations

import pytest

from crm_agents.crm_schema import crm_tables

REFERENCES = [
    ("orders", "customer_id", "customers"),
    ("orders", "rep_id", "sales_reps"),
    ("orders", "opportunity_id", "opportunities"),
    ("order_items", "order_id", "orders"),
    ("order_items", "product_id", "products"),
    ("payments", "order_id", "orders"),
    ("interactions", "customer_id", "customers"),
    ("interactions", "lead_id", "leads"),
    ("interactions", "product_id", "products"),
    ("interactions", "campaign_id", "campaigns"),
    ("tickets", "customer_id", "customers"),
    ("tickets", "assignee_rep_id:rep_id", "sales_reps"),
    ("data.feedback", "customer_id", "customers"),
    ("data.feedback", "order_id", "orders"),
    ("data.feedback", "ticket_id", "tickets"),
    ("leads", "opportunity_id", "opportunities"),
    ("data.opportunities", "customer_id", "customers"),
    ("data.opportunities", "lead_id", "leads"),
    ("data.opportunities", "owner_rep_id:rep_id", "sales_reps"),
    ("data.opportunity_stages", "opportunity_id", "opportunities"),
    ("data.activities", "opportunity_id", "opportunities"),
    ("data.activities", "customer_id", "customers"),
    ("data.campaign_members", "campaign_id", "campaigns"),
    ("data.campaign_members", "customer_id", "customers"),
    ("data.loyalty_transactions", "customer_id", "customers"),
    ("data.consents", "customer_id", "customers"),
    ("data.quotas", "rep_id", "sales_reps"),
    ("data.sales_reps", "manager_rep_id:rep_id", "sales_reps"),
    ("customers", "owner_rep_id:rep_id", "sales_reps"),
    ("customers", "parent_customer_id:customer_id", "customers"),
]


@pytest.mark.parametrize(("table", "column", "owner"), REFERENCES)
def test_references_are_found(company, table: str, column: str, owner: str) -> None:
    name, _, key = column.partition(":")
    present, lost = company.rows(
        f"""select count({name}), count({name}) filter ({name} not in (select {key or name} from data.{owner})) from {table}"""
    )[0]
    assert present > 0
    assert lost == 0


@pytest.mark.parametrize("table", crm_tables())
def test_keys_are_unique_once_repeated_rows_are_gone(company, table: str) -> None:
    key = ", ".join(crm_tables()[table].key)
    again = company.rows(
        f"""select {key} from data.{table} anti join (
            from truth.dirt where table_name = '{table}' and treatment = 'quarantined') q on _row = q.row
        group by {key} having count(*) > 1"""
    )
    assert not again


def test_nothing_happens_before_it_can(company) -> None:
    order = {
        "purchases p join customers c using (customer_id)": "p.moment < c.changed_at - interval 1 minute",
        "orders": "delivered_at < try_cast(ordered_at as timestamp)",
        "interactions i join customers c using (customer_id)": "i.occurred_at < c.changed_at",
        "data.opportunities": "closed_at <= created_at",
        "data.opportunities o join customers c using (customer_id)": "o.created_at < c.changed_at",
        "tickets": "closed_at < first_response_at or first_response_at < try_cast(opened_at as timestamp)",
        "leads": "converted_at <= try_cast(created_at as timestamp)",
        "data.campaign_members": "clicked_at < opened_at or opened_at < sent_at",
    }
    assert {
        relation: company.value(f"select count(*) from {relation} where {wrong}") for relation, wrong in order.items()
    } == {relation: 0 for relation in order}


def test_nothing_but_plans_lies_after_the_last_day(company) -> None:
    for table in crm_tables():
        assert str(company.value(f"select max(changed_at) from data.{table}")) < "2026-07-01"


def test_second_ids_stand_on_orders_of_their_own_time_only(company) -> None:
    assert not company.rows(
        """select p.order_id from purchases p join truth.duplicates using (customer_id)
        join data.customers c using (customer_id) where p.moment < c.changed_at - interval 1 minute"""
    )


def test_payments_are_what_orders_cost(company) -> None:
    compared, equal = company.rows(
        """with due as (
            select order_id, sum(quantity * try_cast(unit_price as decimal(18, 2)) - discount::decimal(18, 2)
                + freight::decimal(18, 2)) filter (quantity > 0) as amount
            from order_items where order_id not in (select row_key from truth.dirt where table_name = 'order_items')
            group by order_id
        ), paid as (
            select order_id, sum(try_cast(amount as decimal(18, 2))) filter (amount not like '-%') as amount
            from payments where amount not like '%EUR' and amount not like '€%' group by order_id
            having count(*) filter (amount not like '-%') > 0
        )
        select count(*), count(*) filter (due.amount = paid.amount) from due join paid using (order_id)"""
    )[0]
    assert compared > 20_000
    assert equal == compared


def test_won_opportunities_become_orders_of_their_amount(company) -> None:
    wrong = company.rows(
        """select o.opportunity_id, o.amount, sum(i.quantity * try_cast(i.unit_price as decimal(18, 2)) - i.discount)
        from data.opportunities o join orders using (opportunity_id) join order_items i using (order_id)
        where i._row not in (select row from truth.dirt where table_name = 'order_items')
        group by all having abs(sum(i.quantity * try_cast(i.unit_price as double) - i.discount) - o.amount::double) > 0.005"""
    )
    won = company.value("select count(*) from data.opportunities where is_won")
    assert won == company.value("select count(distinct opportunity_id) from data.orders") > 300
    assert not wrong


def test_returns_are_negative_lines_of_what_was_bought(company) -> None:
    returned, matched = company.rows(
        """select count(*), count(*) filter (exists (
            from data.order_items b where b.order_id = r.order_id and b.product_id = r.product_id
              and abs(b.quantity) = -r.quantity and b.line_no < r.line_no))
        from order_items r where quantity < 0 and _row not in (
            select row from truth.dirt where table_name = 'order_items')"""
    )[0]
    assert returned == matched > 1000
    assert company.value("select count(*) from orders where status = 'returned'") > 50


def test_points_never_fall_below_zero(company) -> None:
    lowest = company.value(
        """select min(total) from (
            select sum(points) over (partition by customer_id order by occurred_at, points desc) as total
            from data.loyalty_transactions)"""
    )
    assert lowest >= 0


def test_stages_lead_to_where_the_opportunity_stands(company) -> None:
    wrong = company.rows(
        """with last as (
            select opportunity_id, arg_max(stage, entered_at) as stage, max(entered_at) as entered_at, min(entered_at) as first
            from data.opportunity_stages group by 1)
        select * from data.opportunities o join last l using (opportunity_id)
        where o.stage <> l.stage or o.created_at <> l.first or o.closed_at is distinct from
            case when o.is_won is not null then l.entered_at end
            or (o.stage = 'won') is distinct from coalesce(o.is_won, false)"""
    )
    assert not wrong


def test_no_name_mail_or_phone_of_anybody_real(company) -> None:
    assert company.value(
        "select count(*) from customers where email is not null and not regexp_matches(email, 'example.(com|org|net)$')"
    ) == 0  # fmt: skip
    fictional = (
        r"^\+(49 (30 23125|69 90009|40 66969|221 4710|89 99998)|33 [1-5] \d{4} |44 (20 7946 0|113 496 0|117 496 0"
    )
    fictional += r"|141 496 0|7700 900)|353 20 91\d )\d+"
    assert company.value(
        f"""select count(*) from data.customers where not regexp_matches(phone, '{fictional}') and _row not in (
            select row from truth.dirt where kind in ('malformed phone', 'repeated row') and table_name = 'customers')"""
    ) == 0  # fmt: skip


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        ("placed", "changed_at <> moment"),
        ("shipped", "changed_at <> moment + interval 1 day"),
        ("cancelled", "changed_at <= moment or delivered_at is not null"),
        ("completed", "changed_at < delivered_at"),  # later where a part of it came back
        ("returned", "changed_at <= delivered_at"),
    ],
)
def test_an_order_changed_last_when_it_reached_its_status(company, status: str, wrong: str) -> None:
    last_day = company.value("select max(changed_at) from orders")
    orders = (
        "from (select *, try_cast(ordered_at as timestamp) as moment from orders) "
        f"where status = '{status}' and moment <= timestamp '{last_day}'"
    )
    assert company.value(f"select count(*) {orders}") > 0
    assert company.value(f"select count(*) {orders} and ({wrong})") == 0
