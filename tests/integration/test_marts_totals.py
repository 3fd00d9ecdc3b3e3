"""The public data sets, from their files to the marts: every figure that is known of them comes out exactly."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from crm_agents import ingest, lake, marts
from crm_agents.company import loaded_company
from crm_agents.loading import load
from tests.conftest import real_data

pytestmark = pytest.mark.real_data


def build(company: str, *folders: str) -> date:
    """Load, ingest and build a company whole; return its today."""
    load(company, [real_data(folder) for folder in folders])
    ingest.run(run_id="totals")
    with lake.connect() as connection:
        as_of = marts.company_as_of(connection, loaded_company())
    assert set(marts.build(as_of=as_of, run_id="totals").summary()) == {"success"}
    return as_of


def one(query: str) -> tuple:
    with lake.connect() as connection:
        row = connection.execute(query).fetchone()
    assert row
    return row


def test_online_retail(installation: Path) -> None:
    as_of = build("online_retail", "online_retail")
    assert as_of == date(2011, 12, 9)
    assert one("select count(*), count(*) filter (is_cancelled) from marts.fct_orders") == (25_900, 3_836)
    assert one("select count(*) from marts.dim_customers") == (4_372,)
    assert one(
        """
        select count(*), count(*) filter (customer_id is null), count(*) filter (order_status = 'cancelled'),
            count(*) filter (is_duplicate), count(*) filter (unit_price <= 0), count(*) filter (is_return),
            count(*) filter (is_return and order_status <> 'cancelled'), round(sum(gross_amount), 2)
        from marts.fct_order_items
        """
    ) == (541_909, 135_080, 9_288, 5_268, 2_517, 10_624, 1_336, Decimal("9747747.93"))
    daily = "select round(sum(gross_amount), 2), sum(revenue_amount) from marts.fct_sales_daily"
    assert one(daily) == one("select round(sum(gross_amount), 2), sum(revenue_amount) from marts.fct_orders")
    assert one(daily)[0] == Decimal("9747747.93")

    # the population and the labels that issue 2 states for a horizon of 60 days
    cutoffs = marts.training_cutoffs(loaded_company(), as_of, date(2010, 12, 1))
    assert cutoffs.test == date(2011, 10, 10)
    days = [cutoffs.test]
    select = ["ftr_customers", "lbl_customers"]
    marts.build(as_of=as_of, run_id="training", select=select, cutoffs=days, label_windows=[(cutoffs.test, 60)])
    assert one(
        """
        select count(*), round(avg(has_purchased_next::int), 3)
        from features.ftr_customers join features.lbl_customers using (customer_id, as_of)
        where as_of = date '2011-10-10' and has_purchased
        """
    ) == (3_741, 0.476)
    marts.test(as_of=as_of, run_id="totals")


def test_olist(installation: Path) -> None:
    as_of = build("olist", "olist_sample", "olist_funnel")
    assert one(
        """
        select count(*), count(*) filter (not has_items), count(*) filter (is_late), sum(line_count), sum(gross_amount),
            sum(freight_amount), sum(payment_count), sum(paid_amount)
        from marts.fct_orders
        """
    ) == (20_000, 154, 1_587, 22_618, Decimal("2768685.99"), Decimal("451112.79"), 20_873, Decimal("3249579.78"))
    assert one("select count(*), sum(gross_amount), sum(freight) from marts.fct_order_items") == (
        22_618,
        Decimal("2768685.99"),
        Decimal("451112.79"),
    )
    assert one("select count(*), sum(amount) from marts.fct_payments") == (20_873, Decimal("3249579.78"))
    assert one("select count(*) from marts.dim_customers") == (19_831,)
    assert one("select count(*), count(*) filter (is_converted) from marts.fct_leads") == (8_000, 842)
    assert one("select count(*) from marts.dim_reps") == (41,)
    assert one("select count(*) from marts.fct_feedback") == (19_986,)
    marts.test(as_of=as_of, run_id="totals")


def test_maven_crm(installation: Path) -> None:
    as_of = build("maven_crm", "maven_crm")
    assert as_of == date(2017, 12, 31)
    assert one(
        """
        select count(*), count(*) filter (is_won), count(*) filter (is_lost), count(*) filter (stage = 'engaging'),
            count(*) filter (stage = 'prospecting'), sum(amount) filter (is_won), count(*) filter (customer_id is null),
            count(*) filter (created_at is null), count(*) filter (is_open)
        from marts.fct_opportunities
        """
    ) == (8_800, 4_238, 2_473, 1_589, 500, Decimal(10_005_534), 1_425, 500, 2_089)
    products = """
        select count(*), count(distinct product.product_id) from marts.fct_opportunities as deal
        join marts.dim_products as product using (product_id) where product_id = 'GTX Pro'
    """
    assert one(products) == (1_480, 1)
    open_deals = """
        select count(*) from marts.fct_opportunities as deal join marts.dim_products as product using (product_id)
        where is_open and deal.amount is distinct from product.list_price
    """
    assert one(open_deals) == (0,)
    assert one(
        """
        select count(*) filter (manager_rep_id is not null), count(distinct manager_rep_id), count(distinct region),
            count(*) filter (manager_rep_id is not null and rep_id not in (
                select owner_rep_id from marts.fct_opportunities where owner_rep_id is not null))
        from marts.dim_reps
        """
    ) == (35, 6, 3, 5)
    known = "select count(*), count(*) filter (has_purchased) from features.ftr_customers"
    assert one(known) == one("select count(distinct customer_id), 0 from marts.fct_opportunities")
    marts.test(as_of=as_of, run_id="totals")
