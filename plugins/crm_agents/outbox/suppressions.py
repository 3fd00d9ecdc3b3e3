"""The table ``crm_ai.suppressions``: every refusal that the CRM has ever shown, so that overwriting it erases nothing."""

from __future__ import annotations

from crm_agents import postgres

OF_CONSENTS = """
    select customer_id, 'opt_out' as kind, concat_ws('/', 'crm.consents', channel, purpose) as source, channel, purpose,
        coalesce(captured_at, updated_at) as occurred_at
    from crm.consents where not granted
"""
# An unsubscription does not say for which purpose: it ends all of them on its channel.
OF_INTERACTIONS = """
    select customer_id, kind, concat_ws('/', 'crm.interactions', interaction_id) as source,
        case when kind <> 'complaint' then channel end as channel, null as purpose, occurred_at
    from (
        select customer_id, interaction_id, channel, coalesce(occurred_at, updated_at) as occurred_at,
            unnest(array_remove(array[
                case when kind = 'unsubscribe' then 'opt_out' end,
                case lower(outcome)
                    when 'complained' then 'complaint' when 'bounced' then 'soft_bounce'
                    when 'undeliverable' then 'hard_bounce'
                end
            ], null)) as kind
        from crm.interactions
        where kind = 'unsubscribe' or lower(outcome) in ('complained', 'bounced', 'undeliverable')
    ) refusals
    where customer_id is not null
"""


def remember(run_id: str) -> int:
    """Add the refusals that the CRM shows now and the table does not have yet; return the rows added.

    Raises
    ------
    psycopg.Error
        When ``crm.consents`` or ``crm.interactions`` cannot be read.
    """
    with postgres.connect() as crm:
        return sum(
            crm.execute(
                "insert into crm_ai.suppressions (customer_id, kind, source, channel, purpose, occurred_at, run_id) "
                f"select n.customer_id, n.kind, n.source, n.channel, n.purpose, n.occurred_at, %s from ({query}) n "
                "where not exists (select from crm_ai.suppressions s where s.customer_id = n.customer_id "
                "and s.kind = n.kind and s.source = n.source) on conflict do nothing",
                (run_id,),
            ).rowcount
            for query in (OF_CONSENTS, OF_INTERACTIONS)
        )
