"""The rules that stand before the outbox, each with its name, its condition and its sentence, as SQL.

The first rule that applies names the block. A row that no condition lets through with certainty is blocked: every condition is
read as "blocked unless it is false".
"""

from __future__ import annotations

from dataclasses import dataclass

from crm_agents.contact_settings import Outreach
from crm_agents.outbox.sources import WISHES

JUDGED = "outreach_judged"
NO_CHANNEL = "none"  # of a task that does not contact the customer
TASK_CHANNELS = ("phone", NO_CHANNEL)  # what people do; everything else is a message


@dataclass(frozen=True)
class Rule:
    """One rule: `name`, SQL `when` (anything but false blocks), SQL `sentence`; `is_contact` rules leave other tasks alone."""

    name: str
    when: str
    sentence: str
    is_contact: bool = True


def _day(column: str) -> str:
    return f"strftime({column}, '%Y-%m-%d')"


ASKED = "channel || ' for ' || purpose"
SCREENING = (
    Rule("customer.unknown", "not is_known", "'The CRM has no such customer (any more).'", is_contact=False),
    Rule(
        "channel.unknown",
        "not is_channel",
        "'Customers are not contacted by ' || coalesce(channel, 'no channel at all') || ' (outreach.channels).'",
    ),
    Rule(
        "purpose.unknown",
        "not is_purpose",
        "'Customers are not contacted for ' || coalesce(purpose, 'no purpose at all') || ' (outreach.purposes).'",
    ),
    Rule("wish.incomplete", "template is null", "'The wish names no template.'", is_contact=False),
    Rule("wish.repeated", "copy > 1", "'The same decision has wished for the same before.'", is_contact=False),
    Rule("variables.invalid", "not is_jsonb", "'The variables are not a JSON object.'", is_contact=False),
    Rule("variables.personal", "is_personal", "'The variables hold personal data.'", is_contact=False),
    Rule(
        "suppression.complaint",
        "complained_at is not null",
        f"'The customer complained on ' || {_day('complained_at')} || ': no contact any more.'",
    ),
    Rule(
        "consent.withdrawn",
        "coalesce(not granted, false)",
        f"'Consent to ' || {ASKED} || ' is refused or withdrawn' "
        f"|| coalesce(' since ' || {_day('captured_at')}, '') || '.'",
    ),
    Rule(
        "suppression.opt_out",
        "opted_out_at is not null",
        f"'The customer opted out of ' || {ASKED} || ' on ' || {_day('opted_out_at')} || ', which no later consent undoes.'",
    ),
    Rule(
        "suppression.undeliverable",
        "undeliverable_at is not null",
        f"'The customer cannot be reached by ' || channel || ' since ' || {_day('undeliverable_at')} || '.'",
    ),
    Rule(
        "suppression.bounce",
        "coalesce(rests_until > moment, false)",
        f"printf('Message %d by ', bounces) || channel || ' came back on ' || {_day('bounced_at')} || "
        f"': none before ' || {_day('rests_until')} || '.'",
    ),
    Rule("consent.missing", "granted is null", f"'There is no consent to ' || {ASKED} || '.'"),
    Rule(
        "consent.undated",
        "captured_at is null",
        f"'The consent to ' || {ASKED} || ' does not say when it was given.'",
    ),
    Rule(
        "consent.later",
        "captured_at > moment",
        f"'The consent to ' || {ASKED} || ' was only given on ' || {_day('captured_at')} || '.'",
    ),
    Rule(
        "quiet.always",
        "not_before is null",
        "'It is always quiet somewhere in the time zones of ' || country || '.'",
    ),
)


def caps(outreach: Outreach) -> tuple[Rule, ...]:
    """Return the rules of frequency, over the contacts before and the `place` of a wish among its customer's wishes.

    What an earlier try has written comes first, so that a retry under changed circumstances adds nothing beyond the limit.
    """
    limits = {
        "day": (1, outreach.max_per_day),
        "week": (7, outreach.max_per_week),
        "month": (30, outreach.max_per_month),
    }
    return tuple(
        Rule(
            f"frequency.{name}",
            f"not is_written and contacts_{name} + place > {limit}",
            f"printf('Contact %d within {days} day(s), where {limit} are allowed.', contacts_{name} + place)",
        )
        for name, (days, limit) in limits.items()
    )


def names() -> list[str]:
    """Return the name of every rule, in the order in which they are looked at."""
    unreadable = [f"{source}.unreadable" for source in ("customer", "consent", "suppression", "frequency")]
    return unreadable + [rule.name for rule in (*SCREENING, *caps(Outreach()))]


def judge_sql(outreach: Outreach, at: str, *, with_caps: bool = True) -> str:
    """Return the judgement of every wish as one SELECT: the wish, not_before, consent_basis, kind, and rule and reason or null.

    Parameters
    ----------
    outreach : Outreach
        The company's limits.
    at : str
        SQL of the moment.
    with_caps : bool
        Also judge how often the customer has been contacted.
    """
    frequency = caps(outreach) if with_caps else ()
    tasks = ", ".join(f"'{channel}'" for channel in TASK_CHANNELS)
    return f"""
        with screened as (
            select *, case {_cases(SCREENING)} end as first_rule from ({_facts_sql(outreach, at)})
        ),
        placed as (
            select *,
                count(*) filter (is_contact and (first_rule is null or is_written)) over (
                    partition by customer_id order by is_written desc, decision_id, outbox_id rows unbounded preceding
                ) as place
            from screened
        ),
        judged as (select *, coalesce(first_rule, {f"case {_cases(frequency)} end" if frequency else "null"}) as rule from placed)
        select outbox_id, decision_id, customer_id, channel, purpose, template, variables, not_before, rule,
            case when channel in ({tasks}) then 'task' else 'message' end as kind,
            case when is_contact
                then coalesce(basis, 'consent') || ', captured ' || strftime(captured_at, '%Y-%m-%d %H:%M UTC')
            end as consent_basis,
            coalesce(action || ': ', '') || case rule {_sentences((*SCREENING, *frequency))} end as reason
        from judged
    """


def _cases(rules: tuple[Rule, ...]) -> str:
    return " ".join(
        f"when coalesce({rule.when}, true){' and is_contact' if rule.is_contact else ''} then '{rule.name}'"
        for rule in rules
    )


def _sentences(rules: tuple[Rule, ...]) -> str:
    return " ".join(f"when '{rule.name}' then {rule.sentence}" for rule in rules)


def _facts_sql(outreach: Outreach, at: str) -> str:
    """Return each wish beside everything that the rules ask about its customer."""
    channels = ", ".join(f"'{channel}'" for channel in outreach.channels) or "null"
    purposes = ", ".join("'" + purpose.replace("'", "''") + "'" for purpose in outreach.purposes) or "null"
    days = outreach.soft_bounce_days
    return f"""
        select w.*, {at} as moment, c.customer_id is not null as is_known, coalesce(c.country, 'the company') as country,
            w.channel is distinct from '{NO_CHANNEL}' as is_contact,
            w.outbox_id in (select contact_id from outreach_contacts) as is_written,
            coalesce(w.channel in ({channels}), false) as is_channel,
            coalesce(w.purpose in ({purposes}), false) as is_purpose,
            case when w.channel = '{NO_CHANNEL}' then {at} else m.not_before end as not_before,
            k.granted, k.basis, k.captured_at, r.complained_at, r.opted_out_at, r.undeliverable_at, r.bounces, r.bounced_at,
            r.bounced_at + to_days({days}[least(r.bounces, {len(days)})]) as rests_until,
            coalesce(f.contacts_day, 0) as contacts_day, coalesce(f.contacts_week, 0) as contacts_week,
            coalesce(f.contacts_month, 0) as contacts_month
        from {WISHES} w
        left join outreach_customers c using (customer_id)
        left join outreach_moments m on m.country is not distinct from c.country
        left join outreach_consents k
            on k.customer_id = w.customer_id and k.channel = w.channel and k.purpose = w.purpose
        left join ({_refusals_sql()}) r using (outbox_id)
        left join ({_frequency_sql(outreach.zone)}) f on f.customer_id = w.customer_id
    """


def _refusals_sql() -> str:
    return f"""
        select w.outbox_id,
            min(s.occurred_at) filter (s.kind = 'complaint') as complained_at,
            min(s.occurred_at) filter (s.kind = 'opt_out') as opted_out_at,
            min(s.occurred_at) filter (s.kind = 'hard_bounce') as undeliverable_at,
            (count(*) filter (s.kind = 'soft_bounce'))::integer as bounces,
            max(s.occurred_at) filter (s.kind = 'soft_bounce') as bounced_at
        from (select distinct outbox_id, customer_id, channel, purpose from {WISHES}) w
        join outreach_refusals s
            on s.customer_id = w.customer_id and (s.channel is null or s.channel = w.channel)
            and (s.purpose is null or s.purpose = w.purpose)
        group by w.outbox_id
    """


def _frequency_sql(zone: str) -> str:
    """Return how often each customer is contacted around the moment of the wishes, by days of the company's zone."""
    planned, contacted = (f"timezone('{zone}', {moment})::date" for moment in ("m.not_before", "b.occurred_at"))
    return f"""
        select customer_id, count(*) filter (days < 1) as contacts_day, count(*) filter (days < 7) as contacts_week,
            count(*) filter (days < 30) as contacts_month
        from (
            select b.customer_id, abs(date_diff('day', {planned}, {contacted})) as days
            from outreach_contacts b
            join outreach_customers c using (customer_id)
            join outreach_moments m on m.country is not distinct from c.country
            where b.contact_id not in (select outbox_id from {WISHES})
        )
        group by customer_id
    """
