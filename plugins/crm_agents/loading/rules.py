"""What a CRM row must obey beyond its types: closed vocabularies, events that cannot lie ahead, owners that must exist.

``docs/crm_schema.md`` is the page about them.
"""

from __future__ import annotations

from graphlib import TopologicalSorter

from crm_agents.crm_schema import CrmTable, crm_tables

CHANNELS = ("web", "email", "phone", "chat", "store", "social", "mail", "sms", "other")
STAGES = ("prospecting", "qualification", "engaging", "proposal", "negotiation", "won", "lost")

# (table, column) -> the values it may hold; anything that a source has is mapped to one of these, or left empty
VOCABULARIES: dict[tuple[str, str], tuple[str, ...]] = {
    ("customers", "kind"): ("person", "organisation"),
    ("consents", "channel"): CHANNELS,
    ("orders", "status"): ("placed", "shipped", "completed", "cancelled", "returned"),
    ("orders", "channel"): CHANNELS,
    ("interactions", "channel"): CHANNELS,
    ("interactions", "kind"): ("visit", "open", "click", "call", "message", "meeting", "unsubscribe", "other"),
    ("interactions", "direction"): ("inbound", "outbound"),
    ("tickets", "channel"): CHANNELS,
    ("tickets", "status"): ("open", "pending", "closed"),
    ("feedback", "kind"): ("csat", "nps", "review"),
    ("leads", "status"): ("new", "contacted", "qualified", "converted", "lost"),
    ("opportunities", "stage"): STAGES,
    ("opportunity_stages", "stage"): STAGES,
    ("quotas", "period"): ("month", "quarter"),
    ("activities", "kind"): ("call", "email", "meeting", "task"),
    ("campaigns", "channel"): CHANNELS,
}

# Rows that belong to somebody or something: (table, column) -> the table in which it must be found. Reps, products and
# parents are not here: people leave and products are dropped while what they did stays true.
OWNERS: dict[tuple[str, str], str] = {
    ("consents", "customer_id"): "customers",
    ("orders", "customer_id"): "customers",
    ("order_items", "order_id"): "orders",
    ("payments", "order_id"): "orders",
    ("interactions", "customer_id"): "customers",
    ("interactions", "lead_id"): "leads",
    ("tickets", "customer_id"): "customers",
    ("feedback", "customer_id"): "customers",
    ("feedback", "order_id"): "orders",
    ("opportunities", "customer_id"): "customers",
    ("opportunity_stages", "opportunity_id"): "opportunities",
    ("activities", "customer_id"): "customers",
    ("campaign_members", "campaign_id"): "campaigns",
    ("campaign_members", "customer_id"): "customers",
    ("loyalty_transactions", "customer_id"): "customers",
}

# Dates that people plan: they may lie ahead
PLANNED = {"promised_at", "due_at", "expected_close_on", "starts_on", "ends_on", "hired_on", "period_start"}

# Columns that PostgreSQL keeps as jsonb (the lake's type for them is text)
JSON_COLUMNS = {("leads", "attributes")}


def event_columns(table: CrmTable) -> list[str]:
    """Return the columns that say when something happened, which can be no later than the company's last event."""
    dated = [name for name, kind in table.columns.items() if kind in {"TIMESTAMPTZ", "DATE"}]
    return [name for name in dated if name not in PLANNED]


def moment_columns(table: CrmTable) -> list[str]:
    """Return the columns whose newest value is the row's `updated_at` when the mapping gives none."""
    return [name for name in event_columns(table) if name.endswith("_at") and name != "updated_at"]


def owners_of(table: str) -> dict[str, str]:
    """Return the columns of `table` that must be found elsewhere, each with the table where."""
    return {column: owner for (name, column), owner in OWNERS.items() if name == table}


def owners_first() -> list[str]:
    """Return the names of all CRM tables, each after the tables that its rows belong to."""
    order = TopologicalSorter({name: owners_of(name).values() for name in crm_tables()})
    return list(order.static_order())
