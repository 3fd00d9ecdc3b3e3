"""Whom to contact now, whom later, whom not at all: the policy of the customer behaviour agent, as SQL."""

from __future__ import annotations

from crm_agents.agents import ranking
from crm_agents.agents.ranking import Ranking
from crm_agents.company_settings import Behaviour

NAME = "highest_expected_revenue_first"
CONTACT = "contact_now"


def revenue_ranking(behaviour: Behaviour) -> Ranking:
    """Return what the policy ranks customers by."""
    return Ranking("expected_revenue", "revenue_percentile", (1 - behaviour.contact_share,))


def choose_sql(predictions: str, behaviour: Behaviour, horizon_days: int, grid: str | None = None) -> str:
    """Return the policy as one SELECT over `predictions`.

    The `contact_share` of the scored customers with the highest expected revenue are contacted now, those below
    `leave_alone_below` are left alone, the rest wait. Expected revenue is likelihood x the customer's average order value
    (the likelihood alone where no order has a value). After a contact was decided, the next one waits `contact_rest_days`.
    Confidence is the calibrated probability that the choice bets on: of a purchase for a contact, of none for the others.

    Parameters
    ----------
    predictions : str
        Relation with customer_id, value, status_reason, average_order_value, as_of, prior_decision_id,
        standing (the last choice, null when it has fallen due) and last_contact_on (the last day on which
        a contact was decided).
    grid : str, optional
        Ranks are those within this grid (see `ranking`), instead of those among the `predictions` themselves.
    """
    share, floor = behaviour.contact_share, behaviour.leave_alone_below
    likely = (
        f"printf('%g%% likely to buy within {horizon_days} days', "
        "round(100 * value, case when value < 0.1 then 1 else 0 end))"
    )
    worth = f"{likely} || coalesce(printf(', %.2f an order', average_order_value::double), '')"
    rest = behaviour.contact_rest_days
    worthy = f"(select *, value * coalesce(nullif(average_order_value, 0), 1) as expected_revenue from {predictions})"
    it = revenue_ranking(behaviour)
    ranked = f"({ranking.within(worthy, it, grid) if grid else ranking.among_themselves(worthy, it)})"
    return f"""
        with ranked as {ranked},
        judged as (
            select *,
                coalesce(revenue_percentile >= {1 - share}, false) as is_among_best,
                coalesce(last_contact_on > as_of - {rest}, false) and standing is distinct from '{CONTACT}' as is_resting
            from ranked
        ),
        chosen as (
            select *,
                case
                    when value is null then 'wait'
                    when value < {floor} then 'leave_alone'
                    when is_among_best and not is_resting then '{CONTACT}'
                    else 'wait'
                end as chosen
            from judged
        )
        select
            customer_id, value, as_of, expected_revenue, revenue_percentile, prior_decision_id, standing, chosen,
            to_json(struct_pack(
                contact_now := struct_pack(expected_revenue := round(value * average_order_value, 2)),
                wait := struct_pack(expected_revenue := 0),
                leave_alone := struct_pack(expected_revenue := 0)
            ))::varchar as options,
            case when chosen = '{CONTACT}' then value else 1 - value end as confidence,
            case
                when value is null then status_reason
                when chosen = '{CONTACT}'
                    then {worth} || ': among the {share:.0%} with the highest expected revenue: contact now.'
                when chosen = 'leave_alone' then {likely} || ', less than the {floor:.0%} that are worth a contact.'
                when is_among_best
                    then {worth} || printf(': contacted on %s, so wait {rest} days.', last_contact_on::date::varchar)
                else {worth} || ': not among the {share:.0%} with the highest expected revenue: wait.'
            end as reason
        from chosen
    """
