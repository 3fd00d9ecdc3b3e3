"""Rules on the rows that are about to be scored: features as of one day, one row a customer.

A feature out of its range means that the future leaked in or a join doubled rows: critical, nobody is scored on it.
"""

from __future__ import annotations

from expectations.rules import (
    AS_OF,
    CRITICAL,
    WARNING,
    NoColumnsRule,
    Suite,
    TotalRule,
    at_least,
    present,
    row_rule,
    within,
)

# Columns of the label table: one of them among the features would tell a model what it is to predict.
LABELS = "^(has_purchased_next|purchases_next|revenue_next)$|_next$|^label"

COUNTS = (
    "purchases_total",
    "purchases_30d",
    "purchases_90d",
    "purchases_180d",
    "purchases_365d",
    "items_total",
    "distinct_products",
    "cancellations_total",
    "late_deliveries_180d",
    "web_visits_7d",
    "web_visits_30d",
    "emails_sent_90d",
    "emails_opened_90d",
    "emails_clicked_90d",
    "calls_90d",
    "tickets_open",
    "tickets_90d",
    "campaigns_sent_90d",
)
DAYS = ("account_age_days", "recency_days", "tenure_days", "mean_gap_days", "gap_stddev_days", "days_since_interaction")
AMOUNTS = ("revenue_total", "revenue_30d", "revenue_90d", "revenue_180d", "revenue_365d", "average_order_value")

SUITES = (
    Suite(
        "features",
        "ftr_customers",
        {"customer_id": "text", "as_of": "date"},
        (
            TotalRule(
                "as_of_is_there",
                "At least one customer has features as of the asked day.",
                CRITICAL,
                {"as_of": "date"},
                unexpected=f"select (count(*) = 0)::bigint from lake.features.ftr_customers where as_of = {AS_OF}",
                unit="days without a customer",
            ),
            TotalRule(
                "customers_are_complete",
                "Every customer created by the asked day has features, and nobody has who is not a customer.",
                CRITICAL,
                {"as_of": "date"},
                unexpected=f"""
                    select greatest(known.created - scored.n, scored.n - known.n, 0)::bigint
                    from (select count(*) as n from lake.features.ftr_customers where as_of = {AS_OF}) as scored,
                        (
                            select count(*) as n, count(*) filter (where created_on <= {AS_OF}) as created
                            from lake.marts.dim_customers
                        ) as known
                """,
                unit="customers too many or too few",
            ),
            NoColumnsRule(
                "no_label_among_features", "No column tells what is to be predicted.", CRITICAL, forbidden=LABELS
            ),
            present("has_purchased", "flag"),
            *(present(column, "number") for column in COUNTS),
            *(at_least(column, severity=CRITICAL) for column in (*COUNTS, *DAYS, "overdue_ratio")),
            *(at_least(column, severity=WARNING, max_share=0.01) for column in AMOUNTS),
            within("cancellation_share", 0, 1, severity=CRITICAL),
            within("discount_share", 0, 1, max_share=0.01),
            within("active_months_365d", 0, 13, severity=CRITICAL),
            row_rule(
                "recency_goes_with_purchases",
                "Recency is known for those who have purchased, and for nobody else",
                CRITICAL,
                {"has_purchased": "flag", "recency_days": "number"},
                "has_purchased <> (recency_days is not null)",
            ),
            row_rule(
                "windows_are_nested",
                "A longer window holds no fewer purchases than a shorter one",
                CRITICAL,
                {column: "number" for column in COUNTS[:5]},
                "purchases_30d > purchases_90d or purchases_90d > purchases_180d "
                "or purchases_180d > purchases_365d or purchases_365d > purchases_total",
            ),
        ),
    ),
)
