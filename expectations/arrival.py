"""Rules on a batch that arrived from the CRM: keys, closed vocabularies, times and amounts, table by table.

Critical is what makes every later number wrong: a key missing or doubled, a status or stage that no mart understands,
rows without their time. The rest is a warning: recorded, shown, and the run goes on. Planned dates (promised_at,
expected_close_on, due_at, starts_on, ends_on) may lie in the future.
"""

from __future__ import annotations

from collections.abc import Mapping

from expectations.rules import (
    CHANNELS,
    CRITICAL,
    OPPORTUNITY_STAGES,
    ORDER_STATUSES,
    WARNING,
    Family,
    Rule,
    Suite,
    at_least,
    company_currency,
    currency,
    mail,
    not_before,
    not_in_future,
    one_of,
    present,
    row_rule,
    volume,
    within,
)

HUNDRED_MILLION = 100_000_000


def _suite(table: str, key: str | Mapping[str, Family], *rules: Rule) -> Suite:
    # every table is read by its updated_at, and a batch of an unusual size is told for every table
    columns: Mapping[str, Family] = {key: "text"} if isinstance(key, str) else key
    return Suite("raw", table, columns, (present("updated_at", "time", severity=WARNING), *rules, volume()))


SUITES = (
    _suite(
        "customers",
        "customer_id",
        one_of("kind", ("person", "organisation")),
        mail(),
        not_in_future("created_at"),
        not_in_future("birth_on", "date"),
        at_least("employees"),
        at_least("annual_revenue"),
    ),
    _suite(
        "consents",
        {"customer_id": "text", "channel": "text", "purpose": "text"},
        present("granted", "flag", severity=WARNING),
        present("captured_at", "time", severity=WARNING),
        not_in_future("captured_at"),
    ),
    _suite("products", "product_id", within("list_price", 0, 10_000_000), currency()),
    _suite(
        "orders",
        "order_id",
        present("ordered_at", "time", max_share=0.01),
        not_in_future("ordered_at"),
        present("status", "text"),
        one_of("status", ORDER_STATUSES, CRITICAL),
        one_of("channel", CHANNELS),
        currency(),
        company_currency(),
        present("customer_id", "text", severity=WARNING, max_share=0.5),
        not_in_future("delivered_at"),
        not_before("delivered_at", "ordered_at"),
    ),
    _suite(
        "order_items",
        {"order_id": "text", "line_no": "number"},
        present("product_id", "text", severity=WARNING, max_share=0.01),
        present("quantity", "number", max_share=0.01),
        present("unit_price", "number", max_share=0.01),
        within("quantity", -1_000_000, 1_000_000),
        within("unit_price", 0, 1_000_000, max_share=0.001),
        within("discount", 0, 10_000_000, max_share=0.001),
        within("freight", 0, 1_000_000, max_share=0.001),
    ),
    _suite(
        "payments",
        "payment_id",
        present("order_id", "text", severity=WARNING, max_share=0.01),
        present("amount", "number", severity=WARNING, max_share=0.01),
        within("amount", -HUNDRED_MILLION, HUNDRED_MILLION),
        within("instalments", 0, 120),
        not_in_future("paid_at"),
    ),
    _suite(
        "interactions",
        "interaction_id",
        present("occurred_at", "time", max_share=0.01),
        not_in_future("occurred_at"),
        one_of("channel", CHANNELS),
        one_of("direction", ("inbound", "outbound")),
        one_of("kind", ("visit", "open", "click", "call", "message", "meeting", "unsubscribe", "other")),
        within("duration_seconds", 0, 86_400, max_share=0.01),
        row_rule(
            "customer_or_lead_present",
            "An interaction names its customer or its lead",
            WARNING,
            {"customer_id": "text", "lead_id": "text"},
            "customer_id is null and lead_id is null",
            max_share=0.5,
        ),
    ),
    _suite(
        "tickets",
        "ticket_id",
        present("opened_at", "time", max_share=0.01),
        not_in_future("opened_at"),
        not_in_future("closed_at"),
        not_before("closed_at", "opened_at"),
        one_of("channel", CHANNELS),
        one_of("status", ("open", "pending", "closed")),
    ),
    _suite(
        "feedback",
        "feedback_id",
        present("given_at", "time", severity=WARNING, max_share=0.01),
        not_in_future("given_at"),
        one_of("kind", ("csat", "nps", "review")),
        within("score", 0, 10),
    ),
    _suite(
        "leads",
        "lead_id",
        present("created_at", "time", severity=WARNING, max_share=0.01),
        not_in_future("created_at"),
        not_in_future("converted_at"),
        one_of("status", ("new", "contacted", "qualified", "converted", "lost")),
        mail(),
    ),
    _suite(
        "opportunities",
        "opportunity_id",
        present("stage", "text"),
        one_of("stage", OPPORTUNITY_STAGES, CRITICAL),
        within("amount", 0, 1_000_000_000),
        currency(),
        company_currency(),
        not_in_future("created_at"),
        not_in_future("closed_at"),
        not_before("closed_at", "created_at"),
        row_rule(
            "stage_agrees_with_is_won",
            "Stage won goes with is_won, and no other stage does",
            WARNING,
            {"stage": "text", "is_won": "flag"},
            "(stage = 'won') <> coalesce(is_won, false)",
        ),
    ),
    _suite(
        "opportunity_stages",
        {"opportunity_id": "text", "stage": "text", "entered_at": "time"},
        one_of("stage", OPPORTUNITY_STAGES, CRITICAL),
        not_in_future("entered_at"),
    ),
    _suite("sales_reps", "rep_id", mail(), within("monthly_capacity", 0, 100_000)),
    _suite(
        "quotas",
        {"rep_id": "text", "period_start": "date", "period": "text"},
        one_of("period", ("month", "quarter")),
        within("amount", 0, 1_000_000_000),
    ),
    _suite(
        "activities",
        "activity_id",
        one_of("kind", ("call", "email", "meeting", "task")),
        not_in_future("done_at"),
    ),
    _suite(
        "campaigns",
        "campaign_id",
        one_of("channel", CHANNELS),
        not_before("ends_on", "starts_on", "date", max_share=0.0),
        within("cost", 0, HUNDRED_MILLION),
    ),
    _suite(
        "campaign_members",
        {"campaign_id": "text", "customer_id": "text"},
        not_in_future("sent_at"),
        not_before("opened_at", "sent_at"),
        not_before("clicked_at", "sent_at"),
    ),
    _suite(
        "loyalty_transactions",
        "transaction_id",
        present("occurred_at", "time", severity=WARNING, max_share=0.01),
        not_in_future("occurred_at"),
        within("points", -10_000_000, 10_000_000),
    ),
)
