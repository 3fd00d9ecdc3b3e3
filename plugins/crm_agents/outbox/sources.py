"""What the rules look at, read from the CRM database into temporary tables of DuckDB for the customers of the wishes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crm_agents import lake
from crm_agents.outbox import suppressions

if TYPE_CHECKING:
    import duckdb

WISHES = "outreach_wishes"
TABLES = {
    "customer": "outreach_customers",
    "consent": "outreach_consents",
    "suppression": "outreach_refusals",
    "frequency": "outreach_contacts",
}
DERIVED_ID = "md5(to_json([decision_id, customer_id, action, channel, purpose, template]::varchar[])::varchar)"
MOST_KEYS = 10_000  # customers up to whom PostgreSQL is asked by key; for more, whole tables are read
CONTACT_DAYS = 32  # days before and after the moment in which contacts are looked for: a month and the zones
# Blanked out before a search for words that JSON does not have (DuckDB accepts them, jsonb does not).
STRINGS = r'"(?:[^"\\]|\\.)*"'
NO_JSONB = r"(?i)nan|inf|e[+-]?\d{4}"
# Addresses, and keys that name a person or lead to one.
PERSONAL = (
    r"(?i)[^\s\"@]+@[^\s\"@]+\.[a-z]{2,}"
    r'|"(?:(?:first|last|full|given|family|customer|contact)?[ _-]?name|e-?mail(?:[ _-]?address)?|(?:tele)?phone(?:[ _-]?number)?'
    r'|mobile|(?:postal[ _-]?)?address|street|postal[ _-]?code|zip(?:[ _-]?code)?|birth[ _-]?(?:day|date|on)?)"\s*:'
)


class UnreadableError(Exception):
    """Something that the rules need cannot be read: nothing may pass.

    Attributes
    ----------
    source : str
        ``customer``, ``consent``, ``suppression`` or ``frequency``: what then stands before ``.unreadable``.
    reason : str
        Why, as a sentence.
    """

    def __init__(self, source: str, table: str, said: str) -> None:
        self.source = source
        self.reason = f"{table} cannot be read ({said}), so nobody is contacted."
        super().__init__(self.reason)


def prepare(connection: duckdb.DuckDBPyConnection, wishes: str, outbox_id: str = DERIVED_ID) -> None:
    """Fill the temporary table of the wishes, each with the id of its row in the outbox.

    The id follows from what is wished for, so a retry finds the rows of its first try. A wish that is there twice has the
    same id twice, and `copy` 2.

    Parameters
    ----------
    wishes : str
        See `checking.check`.
    outbox_id : str
        SQL of the id, for wishes that are rows of the outbox already.

    Raises
    ------
    ValueError
        When a wish has no decision_id: it could neither be told apart nor be accounted for.
    """
    connection.execute(
        f"""
        create or replace temp table {WISHES} as
        with named as (
            select {outbox_id} as outbox_id, decision_id::varchar as decision_id, customer_id::varchar as customer_id,
                channel::varchar as channel, purpose::varchar as purpose, template::varchar as template,
                action::varchar as action, coalesce(variables::varchar, '{{}}') as variables
            from {wishes}
        )
        select *, row_number() over (partition by outbox_id order by variables) as copy,
            {_is_jsonb("variables")} as is_jsonb, regexp_matches(variables, '{_quoted(PERSONAL)}') as is_personal
        from named
        """
    )
    if connection.execute(f"select 1 from {WISHES} where decision_id is null").fetchone():
        raise ValueError("every wish for the outbox belongs to a decision: decision_id is missing")


def _is_jsonb(column: str) -> str:
    return (
        f"json_valid({column}) and coalesce(try(json_type({column})) = 'OBJECT', false) "
        f"and not contains({column}, '\\u0000') "
        f"and not regexp_matches(regexp_replace({column}, '{_quoted(STRINGS)}', '', 'g'), '{_quoted(NO_JSONB)}')"
    )


def read(connection: duckdb.DuckDBPyConnection, at: datetime, run_id: str, *, with_contacts: bool = True) -> None:
    """Fill the temporary tables `TABLES`; refusals that the CRM shows are first added to ``crm_ai.suppressions``.

    Parameters
    ----------
    with_contacts : bool
        False leaves the table of contacts empty.

    Raises
    ------
    UnreadableError
        When one of the tables behind them cannot be read.
    """
    import psycopg

    only = _only(connection)
    _fetch(connection, "customer", "crm.customers", f"select customer_id, country from crm.customers where {only}")
    columns = "customer_id, channel, purpose, granted, basis, captured_at"
    _fetch(connection, "consent", "crm.consents", f"select {columns} from crm.consents where {only}")
    try:
        suppressions.remember(run_id)
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise UnreadableError("suppression", "What customers have refused", said) from error
    columns = "customer_id, kind, channel, purpose, occurred_at"
    _fetch(connection, "suppression", "crm_ai.suppressions", f"select {columns} from crm_ai.suppressions where {only}")
    _fetch(connection, "frequency", "What customers were sent", _contacts(at, only if with_contacts else "false"))


def _fetch(connection: duckdb.DuckDBPyConnection, source: str, named: str, query: str) -> None:
    import duckdb

    escaped = query.replace("'", "''")
    try:
        connection.execute(
            f"create or replace temp table {TABLES[source]} as from postgres_query('crm_db', '{escaped}')"
        )
    except duckdb.Error as error:
        # PostgreSQL's own words alone: before them stands the query with its keys, which belong into no row and no log.
        words = re.search(r"ERROR:\s*(.+)", str(error))
        raise UnreadableError(source, named, words[1] if words else type(error).__name__) from error


def _contacts(at: datetime, only: str) -> str:
    """Return the contacts around `at`; one that the sender has logged under its outbox_id is one contact, not two."""
    first, last = at.astimezone(UTC) - timedelta(CONTACT_DAYS), at.astimezone(UTC) + timedelta(CONTACT_DAYS)
    between = f"between timestamptz '{first.isoformat()}' and timestamptz '{last.isoformat()}'"
    return (
        "select distinct on (contact_id, customer_id) contact_id, customer_id, occurred_at from ("
        "select outbox_id as contact_id, recipient_id as customer_id, not_before as occurred_at from crm_ai.outbox "
        f"where status <> 'cancelled' and channel <> 'none' and not_before {between} "
        "union all select interaction_id, customer_id, occurred_at from crm.interactions "
        f"where direction = 'outbound' and occurred_at {between}) contacts where {only}"
    )


def _only(connection: duckdb.DuckDBPyConnection) -> str:
    query = f"select distinct customer_id from {WISHES} where customer_id is not null"
    row = connection.execute(f"select count(*) from ({query})").fetchone()
    return lake.among(connection, "customer_id", query) if row and row[0] <= MOST_KEYS else "customer_id is not null"


def _quoted(pattern: str) -> str:
    return pattern.replace("'", "''")
