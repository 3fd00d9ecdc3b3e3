"""Customers with their consents, refusals and contacts as the rules see them: in DuckDB alone, without a CRM."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb

from crm_agents.contact_settings import Outreach
from crm_agents.outbox import checking, rules, sources

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
LONG_AGO = "2024-05-01 10:00:00+00"


class Desk:
    """One desk: fill it, then ask for the verdicts."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute(
            "set timezone = 'UTC'; set preserve_insertion_order = false;"
            "create temp table outreach_customers (customer_id varchar, country varchar);"
            "create temp table outreach_consents (customer_id varchar, channel varchar, purpose varchar, granted boolean, "
            "basis varchar, captured_at timestamptz);"
            "create temp table outreach_refusals (customer_id varchar, kind varchar, channel varchar, purpose varchar, "
            "occurred_at timestamptz);"
            "create temp table outreach_contacts (contact_id varchar, customer_id varchar, occurred_at timestamptz);"
            "create temp table wishes (decision_id varchar, customer_id varchar, channel varchar, purpose varchar, "
            "template varchar, variables varchar, action varchar);"
        )

    def add(self, table: str, *row: object) -> None:
        """Add a row to one of the tables."""
        self.connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", list(row))

    def customer(self, customer_id: str = "c1", country: str | None = "DE") -> None:
        """Add a customer who may be contacted by all means for everything."""
        self.add("outreach_customers", customer_id, country)
        for channel in ("email", "phone", "sms", "mail"):
            for purpose in ("marketing", "service"):
                self.consent(customer_id, channel=channel, purpose=purpose)

    def consent(
        self, customer_id: str = "c1", channel: str = "email", purpose: str = "marketing", **row: object
    ) -> None:
        """Set the CRM's consent for this channel and purpose, as the CRM would overwrite it."""
        self.connection.execute(
            "delete from outreach_consents where (customer_id, channel, purpose) = (?, ?, ?)",
            [customer_id, channel, purpose],
        )
        values = {"granted": True, "basis": "web form", "captured_at": LONG_AGO} | row
        self.add("outreach_consents", customer_id, channel, purpose, *values.values())

    def wish(self, decision_id: str = "d1", customer_id: str | None = "c1", **row: object) -> None:
        """Wish for a marketing mail, unless told otherwise."""
        values = {
            "channel": "email",
            "purpose": "marketing",
            "template": "win_back",
            "variables": '{"discount": 10}',
            "action": "mail_discount",
        }
        self.add("wishes", decision_id, customer_id, *(values | row).values())

    def judged(self, columns: str, at: datetime = AT, **limits: object) -> list[tuple]:
        """Return these columns of the judgements, by decision."""
        sources.prepare(self.connection, "wishes")
        checking.judge(self.connection, Outreach(**limits), at)
        return self.connection.execute(
            f"select {columns} from {rules.JUDGED} order by decision_id, rule nulls first"
        ).fetchall()

    def rules(self, at: datetime = AT, **limits: object) -> list[str | None]:
        """Return the rule that stopped each wish (None: none did), by decision."""
        return [rule for (rule,) in self.judged("rule", at, **limits)]
