{{ config(materialized='ephemeral') }}

with interactions as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.occurred_on,
        facts.channel,
        facts.direction,
        facts.kind,
        {{ days_between('facts.occurred_on', 'wanted.as_of') }} as age_days
    {{ from_facts_until('fct_interactions', 'occurred_on') }}

)

select
    as_of,
    customer_id,
    min(occurred_on) as first_interaction_on,
    max(occurred_on) as last_interaction_on,
    {% for days in [7, 30] -%}
    {{ count_within(days, "channel = 'web' and kind = 'visit'") }} as web_visits_{{ days }}d,
    {% endfor -%}
    {{ count_within(90, "channel = 'email' and kind = 'message' and direction = 'outbound'") }} as emails_sent_90d,
    {{ count_within(90, "channel = 'email' and kind = 'open'") }} as emails_opened_90d,
    {{ count_within(90, "channel = 'email' and kind = 'click'") }} as emails_clicked_90d,
    {{ count_within(90, "kind = 'call'") }} as calls_90d
from interactions
group by as_of, customer_id
