"""Features and labels of a few customers, worked out by hand, through the real dbt project on a real lake."""

from __future__ import annotations

from datetime import date
from math import sqrt
from pathlib import Path

import pytest

from tests.raw_lake import AS_OF, RawLake

EARLIER = date(2024, 5, 31)


@pytest.fixture
def raw(installation: Path) -> RawLake:
    """A shop with five customers, among them one of whom little and one of whom nothing is known."""
    lake = RawLake()
    lake.arrive(
        "customers",
        "customer_id kind country created_at",
        ("ada", "person", "GB", "2023-06-01"),
        ("ben", "person", "DE", None),  # known by his first event only
        ("cleo", "person", "GR", "2024-07-01"),  # comes after as_of
        ("dora", "person", "ES", "2024-07-15"),  # bought before somebody made a record of her
        ("eve", "person", "FR", None),  # no date anywhere
    )
    lake.arrive(
        "orders",
        "order_id customer_id ordered_at status delivered_at promised_at",
        ("o1", "ada", "2024-01-10 10:00", "completed", None, None),
        ("o2", "ada", "2024-05-01 10:00", "completed", "2024-05-10", "2024-05-08"),
        ("o3", "ada", "2024-06-20 10:00", "placed", "2024-07-03", "2024-07-01"),  # late, but only after as_of
        ("o4", "ada", "2024-06-25 10:00", "cancelled", None, None),
        ("o5", "ada", "2024-07-05 10:00", "completed", None, None),
        ("o6", "dora", "2024-03-01 10:00", "completed", None, None),
        ("o7", None, "2024-06-20 10:00", "completed", None, None),
    )
    lake.arrive(
        "order_items",
        "order_id line_no product_id quantity unit_price discount is_duplicate",
        ("o1", 1, "pen", 2, 10, 2, False),
        ("o1", 2, "ink", 1, 5, 0, False),
        ("o2", 1, "pen", 1, 10, 0, False),
        ("o3", 1, "POST", 1, 4, 0, False),
        ("o3", 2, "cap", 3, 5, 0, False),
        ("o3", 3, "cap", 3, 5, 0, True),
        ("o4", 1, "mug", 1, 10, 0, False),
        ("o5", 1, "mug", 9, 10, 0, False),
        ("o6", 1, "pen", 1, 7, 0, False),
        ("o7", 1, "pen", 1, 7, 0, False),
    )
    lake.arrive(
        "interactions",
        "interaction_id customer_id occurred_at channel direction kind",
        ("i1", "ada", "2024-06-24 09:00", "web", "inbound", "visit"),  # 6 days back: in the window of 7
        ("i2", "ada", "2024-06-23 09:00", "web", "inbound", "visit"),  # 7 days back: out of it
        ("i3", "ada", "2024-06-01 09:00", "email", "outbound", "message"),
        ("i4", "ada", "2024-06-02 09:00", "email", "inbound", "open"),
        ("i5", "ada", "2024-06-02 09:01", "email", "inbound", "click"),
        ("i6", "ada", "2024-04-02 09:00", "phone", "outbound", "call"),  # 89 days back
        ("i7", "ada", "2024-04-01 09:00", "phone", "outbound", "call"),  # 90 days back
        ("i8", "ada", "2024-07-01 00:00", "web", "inbound", "visit"),
        ("i9", "ben", "2024-07-01 01:00:00+02:00", "web", "inbound", "visit"),  # still 30 June in UTC
    )
    lake.arrive(
        "tickets",
        "ticket_id customer_id opened_at closed_at status",
        ("t1", "ada", "2024-06-29 23:59:59", None, "open"),
        ("t2", "ada", "2024-01-01", "2024-07-02", "closed"),  # was open at the end of as_of
        ("t3", "ada", "2024-05-01", "2024-05-03", "closed"),
    )
    lake.arrive(
        "feedback",
        "feedback_id customer_id given_at kind score",
        ("f1", "ada", "2024-06-01", "csat", 4),
        ("f2", "ada", "2024-05-01", "nps", 10),
        ("f3", "ada", "2024-07-01", "review", 1),
    )
    lake.arrive(
        "loyalty_transactions",
        "transaction_id customer_id occurred_at points",
        ("p1", "ada", "2024-03-01", 10),
        ("p2", "ada", "2024-04-01", -3),
        ("p3", "ada", "2024-07-01", 100),
    )
    lake.arrive("campaign_members", "campaign_id customer_id sent_at", ("k1", "ada", "2024-06-10"))
    return lake


def features(raw: RawLake, customer: str, as_of: date = AS_OF) -> dict:
    return raw.row(f"select * from features.ftr_customers where customer_id = '{customer}' and as_of = '{as_of}'")


def test_features_and_labels_worked_out_by_hand(raw: RawLake) -> None:
    raw.build(cutoffs=[AS_OF, EARLIER], label_windows=[(EARLIER, 30), (date(2024, 6, 15), 30)])

    ada = features(raw, "ada")
    assert ada["country"] == "GB"
    assert ada["has_purchased"] is True
    expected = {
        "account_age_days": 395,
        "recency_days": 10,
        "tenure_days": 172,
        "purchases_total": 3,
        "purchases_30d": 1,
        "purchases_90d": 2,
        "purchases_180d": 3,
        "purchases_365d": 3,
        "revenue_total": 52,
        "revenue_30d": 19,
        "revenue_90d": 29,
        "revenue_180d": 52,
        "revenue_365d": 52,
        "average_order_value": 52 / 3,
        "items_total": 8,
        "distinct_products": 3,
        "mean_gap_days": 81,
        "gap_stddev_days": sqrt(2 * 31**2),
        "overdue_ratio": 10 / 81,
        "active_months_365d": 3,
        "cancellations_total": 1,
        "cancellation_share": 1 / 4,
        "discount_share": 2 / 54,
        "late_deliveries_180d": 1,
        "web_visits_7d": 1,
        "web_visits_30d": 2,
        "emails_sent_90d": 1,
        "emails_opened_90d": 1,
        "emails_clicked_90d": 1,
        "calls_90d": 1,
        "days_since_interaction": 6,
        "tickets_open": 2,
        "tickets_90d": 2,
        "feedback_score_mean": 4.5,
        "loyalty_points": 7,
        "campaigns_sent_90d": 1,
    }
    assert {name: ada[name] for name in expected} == pytest.approx(expected)

    ben = features(raw, "ben")
    assert (ben["account_age_days"], ben["has_purchased"], ben["web_visits_7d"]) == (0, False, 1)
    zero = ("purchases_total", "revenue_365d", "items_total", "distinct_products", "active_months_365d", "tickets_open")
    empty = ("recency_days", "tenure_days", "average_order_value", "mean_gap_days", "gap_stddev_days", "overdue_ratio")
    assert {ben[name] for name in zero} == {0}
    assert {ben[name] for name in (*empty, "cancellation_share", "discount_share", "feedback_score_mean")} == {None}

    dora = features(raw, "dora")
    assert (dora["account_age_days"], dora["mean_gap_days"], dora["purchases_total"]) == (121, None, 1)

    known = raw.query(
        "select as_of, string_agg(customer_id, ' ' order by customer_id) from features.ftr_customers group by 1 order by 1"
    )
    assert known == [(date(2024, 5, 31), "ada dora"), (date(2024, 6, 15), "ada dora"), (AS_OF, "ada ben dora")]
    assert features(raw, "ada", EARLIER)["purchases_total"] == 2

    labels = raw.query(
        "select customer_id, as_of, horizon_days, has_purchased_next, purchases_next, revenue_next "
        "from features.lbl_customers order by customer_id"
    )  # the window of 15 June is still open
    assert labels == [("ada", EARLIER, 30, True, 1, 19.0), ("dora", EARLIER, 30, False, 0, 0.0)]


def test_what_happens_after_as_of_changes_no_feature_at_as_of(raw: RawLake) -> None:
    raw.build()
    before = raw.contents(["features"])
    raw.batch = 2
    raw.arrive("orders", "order_id customer_id ordered_at status", ("o8", "ada", "2024-07-01 00:00", "completed"))
    raw.arrive("order_items", "order_id line_no product_id quantity unit_price", ("o8", 1, "pen", 5, 99))
    raw.arrive(
        "interactions",
        "interaction_id customer_id occurred_at channel kind",
        ("i0", "ada", "2024-07-02", "web", "visit"),
    )
    raw.arrive("tickets", "ticket_id customer_id opened_at status", ("t0", "dora", "2024-07-01", "open"))
    raw.arrive("customers", "customer_id created_at", ("fay", "2024-07-03"))
    raw.build()
    assert raw.query("select count(*) from features.ftr_customers where _batch = 2") == [(2,)]  # looked at again
    assert raw.contents(["features"]) == before


def test_what_becomes_of_an_order_after_as_of_changes_no_feature_at_as_of(raw: RawLake) -> None:
    """Cancelled, returned or delivered later, with the refund's line: at as_of it was what it was then."""
    raw.arrive(  # a second purchase of Dora's on the way: her gap hangs on it
        "orders",
        "order_id customer_id ordered_at status updated_at",
        ("o9", "dora", "2024-05-20 10:00", "placed", "2024-05-20 10:00"),
    )
    raw.arrive("order_items", "order_id line_no product_id quantity unit_price discount", ("o9", 1, "mug", 1, 10, 3))
    raw.build(cutoffs=[AS_OF, EARLIER], label_windows=[(EARLIER, 30)])
    before = raw.contents(["features"])
    assert features(raw, "dora")["mean_gap_days"] == 80
    raw.batch = 2
    raw.arrive(
        "orders",
        "order_id customer_id ordered_at status delivered_at promised_at updated_at",
        ("o3", "ada", "2024-06-20 10:00", "cancelled", None, "2024-07-01", "2024-07-01 00:00"),
        ("o9", "dora", "2024-05-20 10:00", "returned", "2024-07-02", None, "2024-07-04 10:00"),
    )
    raw.arrive("order_items", "order_id line_no product_id quantity unit_price", ("o9", 2, "mug", -1, 10))
    raw.build(cutoffs=[AS_OF, EARLIER], label_windows=[(EARLIER, 30)])
    assert raw.query("select count(*) from features.ftr_customers where _batch = 2") == [(4,)]  # looked at again
    assert raw.contents(["features"]) == before
    raw.build(cutoffs=[AS_OF, EARLIER], label_windows=[(EARLIER, 30)], full_refresh=True)
    assert raw.contents(["features"]) == before
    assert raw.query("select order_id from marts.fct_orders where is_purchase order by 1") == [
        ("o1",),
        ("o2",),
        ("o5",),
        ("o6",),
    ]

    raw.build(date(2024, 7, 4), cutoffs=[date(2024, 7, 4)])  # and when it has happened, it counts
    ada, dora = (features(raw, name, date(2024, 7, 4)) for name in ("ada", "dora"))
    assert (ada["purchases_total"], ada["cancellations_total"], ada["distinct_products"]) == (2, 2, 2)
    assert (dora["purchases_total"], dora["mean_gap_days"], dora["distinct_products"]) == (1, None, 1)
