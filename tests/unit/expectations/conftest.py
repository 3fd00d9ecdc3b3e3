"""A lake in memory with one good row or more in every table that a gate looks at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from crm_agents.crm_schema import crm_tables

AS_OF = date(2024, 6, 30)
ROWS = 40

# What a good row holds; a column that is not named is empty.
GOOD = {
    "customers": "'C' || i as customer_id, 'person' as kind, 'Ada ' || i as name, 'ada' || i || '@example.com' as email, "
    "'+49 30 ' || i as phone, 10 as employees, 1000.0 as annual_revenue, date '1980-01-01' as birth_on, "
    "timestamptz '2024-01-01' as created_at",
    "consents": "'C' || i as customer_id, 'email' as channel, 'marketing' as purpose, true as granted, "
    "timestamptz '2024-01-01' as captured_at",
    "products": "'P' || i as product_id, 9.5 as list_price, 'EUR' as currency",
    "orders": "'O' || i as order_id, 'C' || i as customer_id, timestamptz '2024-05-01' as ordered_at, "
    "'placed' as status, 'web' as channel, 'EUR' as currency, timestamptz '2024-05-03' as delivered_at, "
    "timestamptz '2031-01-01' as promised_at",
    "order_items": "'O' || i as order_id, 1 as line_no, 'P1' as product_id, 2 as quantity, 9.5 as unit_price, "
    "0 as discount, 1 as freight",
    "payments": "'Y' || i as payment_id, 'O' || i as order_id, 19 as amount, 1 as instalments, "
    "timestamptz '2024-05-01' as paid_at",
    "interactions": "'I' || i as interaction_id, 'C' || i as customer_id, timestamptz '2024-05-01' as occurred_at, "
    "'web' as channel, 'inbound' as direction, 'visit' as kind, 30 as duration_seconds",
    "tickets": "'T' || i as ticket_id, timestamptz '2024-05-01' as opened_at, timestamptz '2024-05-02' as closed_at, "
    "'phone' as channel, 'closed' as status",
    "feedback": "'F' || i as feedback_id, timestamptz '2024-05-01' as given_at, 'csat' as kind, 4 as score",
    "leads": "'L' || i as lead_id, timestamptz '2024-05-01' as created_at, timestamptz '2024-05-02' as converted_at, "
    "'converted' as status, 'bob@example.com' as email",
    "opportunities": "'D' || i as opportunity_id, 'won' as stage, true as is_won, 100 as amount, 'EUR' as currency, "
    "timestamptz '2024-05-01' as created_at, timestamptz '2024-05-02' as closed_at, date '2031-01-01' as expected_close_on",
    "opportunity_stages": "'D' || i as opportunity_id, 'won' as stage, timestamptz '2024-05-02' as entered_at",
    "sales_reps": "'R' || i as rep_id, 'eve@example.com' as email, 20 as monthly_capacity",
    "quotas": "'R' || i as rep_id, date '2024-04-01' as period_start, 'quarter' as period, 1000 as amount",
    "activities": "'A' || i as activity_id, 'call' as kind, timestamptz '2031-01-01' as due_at, "
    "timestamptz '2024-05-01' as done_at",
    "campaigns": "'M' || i as campaign_id, 'email' as channel, date '2024-05-01' as starts_on, "
    "date '2031-06-01' as ends_on, 500 as cost",
    "campaign_members": "'M1' as campaign_id, 'C' || i as customer_id, timestamptz '2024-05-01' as sent_at, "
    "timestamptz '2024-05-02' as opened_at, timestamptz '2024-05-02' as clicked_at",
    "loyalty_transactions": "'K' || i as transaction_id, timestamptz '2024-05-01' as occurred_at, 10 as points",
}

# fmt: off
FEATURE_NUMBERS = [
    "account_age_days", "recency_days", "tenure_days", "purchases_total", "purchases_30d", "purchases_90d",
    "purchases_180d", "purchases_365d", "revenue_total", "revenue_30d", "revenue_90d", "revenue_180d",
    "revenue_365d", "average_order_value", "items_total", "distinct_products", "mean_gap_days", "gap_stddev_days",
    "overdue_ratio", "active_months_365d", "cancellations_total", "late_deliveries_180d", "web_visits_7d",
    "web_visits_30d", "emails_sent_90d", "emails_opened_90d", "emails_clicked_90d", "calls_90d",
    "days_since_interaction", "tickets_open", "tickets_90d", "campaigns_sent_90d",
]
# fmt: on

MARTS = {
    "marts.fct_orders": "select order_id, customer_id, ordered_at, 19.0::decimal(38, 4) as revenue_amount, "
    "true as is_purchase, _batch from lake.raw.orders",
    "marts.fct_order_items": "select order_id, line_no, _batch from lake.raw.order_items",
    "marts.dim_customers": "select customer_id, created_at::date as created_on, _batch from lake.raw.customers",
    "features.ftr_customers": f"select customer_id, date '{AS_OF}' as as_of, true as has_purchased, "
    + ", ".join(f"2::double as {column}" for column in FEATURE_NUMBERS)
    + ", 0.5::double as cancellation_share, 0.1::double as discount_share, _batch from lake.raw.customers",
}


@pytest.fixture(scope="session")
def good_lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB with a lake of good rows (a plain database: what needs DuckLake is tested in tests/integration)."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'; attach ':memory:' as lake")
        for schema in ("raw", "marts", "features"):
            connection.execute(f"create schema lake.{schema}")
        for table in crm_tables().values():
            columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
            connection.execute(f"create table lake.raw.{table.name} ({columns}, _batch bigint, _deleted boolean)")
            connection.execute(
                f"insert into lake.raw.{table.name} by name select {GOOD[table.name]}, 1 as _batch, false as _deleted, "
                f"timestamptz '2024-06-01' as updated_at from range({ROWS}) t(i)"
            )
        for name, query in MARTS.items():
            connection.execute(f"create table lake.{name} as {query}")
        connection.execute("use lake")
        yield connection


@pytest.fixture
def connection(good_lake: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake of good rows; what a test changes in it is taken back."""
    good_lake.execute("begin")
    yield good_lake
    good_lake.execute("rollback")
