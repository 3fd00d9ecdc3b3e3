"""How each feature of a customer is said to a salesperson."""

from __future__ import annotations

from models_ml.core.phrases import Context, Phrase

ONE_DAY_ONLY = "Has bought on one day only, so no buying rhythm is known yet"


def _counted(singular: str, plural: str, when: str = "") -> Phrase:
    """Return the phrase of a count: "No email opened in the last 90 days", "1 email opened ..."."""
    return Phrase("count", f"{{value}} {plural}{when}", one=f"1 {singular}{when}", zero=f"No {singular}{when}")


def _purchases(days: int) -> Phrase:
    return _counted("purchase", "purchases", f" in the last {days} days")


def _spent(days: int) -> Phrase:
    return Phrase("money", f"Spent {{value}} in the last {days} days", zero=f"Spent nothing in the last {days} days")


PHRASES: dict[str, Phrase] = {
    "recency_days": Phrase(
        "days",
        "Bought {value} days ago",
        one="Bought yesterday",
        zero="Bought today",
        missing="Has not bought yet",
        context=Context("mean_gap_days", "days", ", usually buys every {value} days", one=", usually buys every day"),
    ),
    "tenure_days": Phrase(
        "days", "First bought {value} days ago", one="First bought yesterday", zero="First bought today",
        missing="Has not bought yet",
    ),
    "account_age_days": Phrase(
        "days", "Known for {value} days", one="Known since yesterday", zero="Known since today",
        missing="Not known since when",
    ),
    "purchases_total": Phrase("count", "Has bought {value} times", one="Has bought once", zero="Has not bought yet"),
    "purchases_30d": _purchases(30),
    "purchases_90d": _purchases(90),
    "purchases_180d": _purchases(180),
    "purchases_365d": _purchases(365),
    "revenue_total": Phrase("money", "Has spent {value} in total", zero="Has spent nothing so far"),
    "revenue_30d": _spent(30),
    "revenue_90d": _spent(90),
    "revenue_180d": _spent(180),
    "revenue_365d": _spent(365),
    "average_order_value": Phrase("money", "Spends {value} an order on average", missing="No order value known"),
    "items_total": Phrase("count", "Has bought {value} items in total", one="Has bought a single item"),
    "distinct_products": Phrase(
        "count", "Has bought {value} different products", one="Has bought one product only", zero="No product known"
    ),
    "mean_gap_days": Phrase(
        "days", "Buys every {value} days on average", one="Buys every day on average", missing=ONE_DAY_ONLY
    ),
    "gap_stddev_days": Phrase(
        "days",
        "The time between purchases varies by about {value} days",
        one="The time between purchases varies by about 1 day",
        zero="Buys at very regular intervals",
        missing="Too few purchases to know how regular they are",
    ),
    "overdue_ratio": Phrase(
        "number", "The time since the last purchase is {value} times the usual gap", missing=ONE_DAY_ONLY
    ),
    "active_months_365d": Phrase(
        "count",
        "Bought in {value} different months of the last year",
        one="Bought in one month of the last year",
        zero="Bought in no month of the last year",
    ),
    "cancellations_total": _counted("cancelled order", "cancelled orders"),
    "cancellation_share": Phrase(
        "percent", "{value} % of the orders were cancelled", zero="None of the orders was cancelled",
        missing="No orders to cancel",
    ),
    "discount_share": Phrase(
        "percent", "Discounts took {value} % off the orders", zero="Buys without discounts",
        missing="No discounts known",
    ),
    "late_deliveries_180d": _counted("late delivery", "late deliveries", " in the last 180 days"),
    "web_visits_7d": _counted("web visit", "web visits", " in the last 7 days"),
    "web_visits_30d": _counted("web visit", "web visits", " in the last 30 days"),
    "emails_sent_90d": _counted("email sent to the customer", "emails sent to the customer", " in the last 90 days"),
    "emails_opened_90d": _counted("email opened", "emails opened", " in the last 90 days"),
    "emails_clicked_90d": _counted("email clicked", "emails clicked", " in the last 90 days"),
    "calls_90d": _counted("call", "calls", " in the last 90 days"),
    "days_since_interaction": Phrase(
        "days", "Last contact {value} days ago", one="Last contact yesterday", zero="Contact today",
        missing="No contact recorded yet",
    ),
    "tickets_open": _counted("open support ticket", "open support tickets"),
    "tickets_90d": _counted("support ticket", "support tickets", " in the last 90 days"),
    "feedback_score_mean": Phrase("number", "Rates us {value} on average", missing="Has given no feedback yet"),
    "loyalty_points": _counted("loyalty point", "loyalty points"),
    "campaigns_sent_90d": _counted("campaign sent", "campaigns sent", " in the last 90 days"),
}  # fmt: skip
