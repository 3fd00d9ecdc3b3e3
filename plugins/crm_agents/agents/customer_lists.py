"""Whom to greet, to win back and to care for: rules that people can read, as SQL over the features and scores of a day.

They come before the next best action and are not random, so nothing is learnt from them about what an action brings.
"""

from __future__ import annotations

from crm_agents.contact_settings import Personalisation

GREETING, WIN_BACK, CARE = "greeting", "win_back", "care"
LISTS = (CARE, WIN_BACK, GREETING)  # who is on several is on the first of these
NEW_FOR_DAYS = 7


def wishes_sql(features: str, scores: str, personalisation: Personalisation, as_of: str) -> str:
    """Return the SELECT of who belongs on a list, whatever arm they are in: customer_id, list, channel, purpose, reason.

    Each customer once: on the first of `LISTS` that they belong on.

    Parameters
    ----------
    features : str
        Relation of ``features.ftr_customers`` as of the day.
    scores : str
        Relation (customer_id, value) of churn scores.
    as_of : str
        The day.
    """
    it = personalisation
    return f"""
        with scored as (
            select f.*, s.value as churn, s.value * greatest(revenue_365d, 0) as at_stake
            from {features} f left join {scores} s using (customer_id)
        ),
        ranked as (
            select *, row_number() over (order by at_stake desc nulls last, customer_id) as place,
                count(churn) over () as active
            from scored
        ),
        listed as (
            select customer_id, '{CARE}' as list, 'none' as channel, 'service' as purpose, 1 as priority,
                printf('%d open ticket%s, and the last contact was %d days ago: somebody should call.', tickets_open::integer,
                    case when tickets_open = 1 then '' else 's' end, days_since_interaction::integer) as reason
            from ranked where tickets_open > 0 and days_since_interaction >= {it.care_after_days}
            union all
            select customer_id, '{WIN_BACK}', 'email', 'marketing', 2,
                printf('%.0f%% likely to be lost, %.2f of revenue in the last year at stake.', 100 * churn, revenue_365d)
            from ranked
            where churn >= {it.win_back_above} and place <= ceil({it.win_back_share} * active)
            union all
            select customer_id, '{GREETING}', 'email', 'marketing', 3,
                printf('First purchase on %s: say thank you.', (date '{as_of}' - tenure_days::integer)::varchar)
            from ranked where purchases_total = 1 and tenure_days < {NEW_FOR_DAYS}
        )
        select customer_id, list, channel, purpose, reason from listed
        qualify row_number() over (partition by customer_id order by priority) = 1
    """
