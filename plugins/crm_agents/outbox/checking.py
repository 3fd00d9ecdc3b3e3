"""Judge wishes for messages and tasks: which may go out, from when on, on what consent, and which rule stops the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crm_agents.agents.frame import AgentRun
from crm_agents.contact_settings import Outreach
from crm_agents.errors import CrmAgentsError
from crm_agents.outbox import rules, sources
from crm_agents.outbox.sources import WISHES, UnreadableError
from crm_agents.outbox.zones import next_allowed, zones_of

if TYPE_CHECKING:
    import duckdb

PERMITTED = "outreach_permitted"
BLOCKED = "outreach_blocked"


@dataclass(frozen=True)
class Checked:
    """How many wishes may go out, and how many each rule stopped, the most frequent rule first."""

    permitted: int
    blocked: dict[str, int]

    @property
    def summary(self) -> str:
        """What came of the wishes, as a sentence."""
        stopped = ", ".join(f"{count:,} by {rule}" for rule, count in self.blocked.items())
        return f"{self.permitted:,} may go out, {sum(self.blocked.values()):,} are blocked{f' ({stopped})' if stopped else ''}."


def check(
    connection: duckdb.DuckDBPyConnection, wishes: str, run: AgentRun, outreach: Outreach, at: datetime
) -> Checked:
    """Let every wish through that all rules allow, and say which rule stops each of the others.

    Refusals that the CRM shows are remembered first. Whatever cannot be read blocks everything, with the reason.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    wishes : str
        DuckDB relation (decision_id, customer_id, channel, purpose, template, variables, action): `variables` a JSON object as
        text or JSON, without personal data; `channel` ``none`` for a task that does not contact the customer.
    run : AgentRun
        Who wishes; its run_id, agent and as_of stand in the rows.
    outreach : Outreach
        The company's limits.
    at : datetime
        The moment for which consents, suppressions, contacts and quiet hours are judged, with a time zone.

    Returns
    -------
    Checked
        Rows are in two temporary tables, every wish in one of them: ``outreach_permitted`` with the columns of
        ``crm_ai.outbox``, and ``outreach_blocked`` (outbox_id, decision_id, customer_id, channel, purpose, rule, reason). A
        customer's wishes are settled in the order of decision_id, so that the same wishes always end the same way.

    Raises
    ------
    CrmAgentsError
        When `at` has no time zone.
    ValueError
        When a wish has no decision_id.
    """
    require_zone(at)
    sources.prepare(connection, wishes)
    try:
        sources.read(connection, at, run.run_id)
        judge(connection, outreach, at)
    except UnreadableError as error:
        _block_all(connection, error)
    connection.execute(
        f"create or replace temp table {PERMITTED} as select outbox_id, decision_id, '{run.run_id}' as run_id, "
        f"'{run.agent}' as agent, kind, channel, purpose, customer_id as recipient_id, template, variables::json as variables, "
        f"not_before, consent_basis, 'ready' as status, null::varchar as status_reason, date '{run.as_of}' as as_of "
        f"from {rules.JUDGED} where rule is null"
    )
    connection.execute(
        f"create or replace temp table {BLOCKED} as select outbox_id, decision_id, customer_id, channel, purpose, rule, reason "
        f"from {rules.JUDGED} where rule is not null"
    )
    counts = connection.execute(f"select rule, count(*) from {rules.JUDGED} group by 1 order by 2 desc, 1").fetchall()
    return Checked(dict(counts).get(None, 0), {rule: count for rule, count in counts if rule is not None})


def judge(connection: duckdb.DuckDBPyConnection, outreach: Outreach, at: datetime, *, with_caps: bool = True) -> None:
    """Fill the temporary table of judgements (see `rules.judge_sql`) from those of the wishes and of what was read for them."""
    _settle_moments(connection, outreach, at)
    moment = f"timestamptz '{at.astimezone(UTC).isoformat()}'"
    connection.execute(
        f"create or replace temp table {rules.JUDGED} as {rules.judge_sql(outreach, moment, with_caps=with_caps)}"
    )


def require_zone(at: datetime) -> None:
    """Refuse a moment that does not say in which time zone it is.

    Raises
    ------
    CrmAgentsError
        When `at` has no time zone.
    """
    if at.tzinfo is None:
        raise CrmAgentsError(
            f"The moment {at} has no time zone, so nobody knows which consents hold.", "Give it one, for example UTC."
        )


def _settle_moments(connection: duckdb.DuckDBPyConnection, outreach: Outreach, at: datetime) -> None:
    """Fill ``outreach_moments``: for each country, the first moment from `at` on that is not quiet there."""
    countries = [
        country for (country,) in connection.execute("select distinct country from outreach_customers").fetchall()
    ]
    moments = [
        next_allowed(at, zones_of(country) or (outreach.zone,), outreach.quiet_from_hour, outreach.quiet_until_hour)
        for country in countries
    ]
    connection.execute(
        "create or replace temp table outreach_moments as select unnest(?::varchar[]) as country, "
        "unnest(?::timestamptz[]) as not_before",
        [countries, moments],
    )


def _block_all(connection: duckdb.DuckDBPyConnection, error: UnreadableError) -> None:
    connection.execute(
        f"create or replace temp table {rules.JUDGED} as select outbox_id, decision_id, customer_id, channel, purpose, template, "
        "variables, null::timestamptz as not_before, ? as rule, null::varchar as kind, null::varchar as consent_basis, "
        f"coalesce(action || ': ', '') || ? as reason from {WISHES}",
        [f"{error.source}.unreadable", error.reason],
    )
