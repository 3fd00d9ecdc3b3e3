"""Whom to contact now, whom later, whom not at all: the policy of the customer behaviour agent, as SQL."""

from __future__ import annotations

from crm_agents.agents import ranking
from crm_agents.company import Behaviour

NAME = "most_likely_first"


def choose_sql(predictions: str, behaviour: Behaviour, horizon_days: int, grid: str | None = None) -> str:
    """Return the policy as one SELECT over `predictions` (customer_id, value, status_reason, average_order_value, ...).

    The most promising `contact_share` of the scored customers are contacted now, those below `leave_alone_below` are left
    alone, the rest wait. Confidence is the calibrated probability that the choice bets on: of a purchase for a contact,
    of none for the others. Ranks are those among the `predictions` themselves, or within `grid` (see `ranking`).
    """
    bands, share, floor = behaviour.grade_bands, behaviour.contact_share, behaviour.leave_alone_below
    grade = " ".join(f"when percentile >= {bands[letter]} then '{letter}'" for letter in ("A", "B", "C"))  # type: ignore[index]
    likely = (
        f"printf('%g%% likely to buy within {horizon_days} days', "
        "round(100 * value, case when value < 0.1 then 1 else 0 end))"
    )
    ranked = ranking.within(predictions, grid) if grid else ranking.among_themselves(predictions)
    return f"""
        with ranked as ({ranked}),
        chosen as (
            select *,
                case
                    when value is null then 'wait'
                    when value < {floor} then 'leave_alone'
                    when percentile >= {1 - share} then 'contact_now'
                    else 'wait'
                end as chosen
            from ranked
        )
        select
            customer_id, value, status, status_reason, method, model_version, as_of, percentile,
            case when value is not null then case {grade} else 'D' end end as grade,
            chosen,
            to_json(struct_pack(
                contact_now := struct_pack(expected_revenue := round(value * average_order_value, 2)),
                wait := struct_pack(expected_revenue := 0),
                leave_alone := struct_pack(expected_revenue := 0)
            ))::varchar as options,
            case when chosen = 'contact_now' then value else 1 - value end as confidence,
            case
                when value is null then status_reason
                when chosen = 'contact_now' then {likely} || ', among the {share:.0%} most likely: contact now.'
                when chosen = 'leave_alone' then {likely} || ', less than the {floor:.0%} that are worth a contact.'
                else {likely} || ', not among the {share:.0%} most likely: wait.'
            end as reason
        from chosen
    """
