{{ config(materialized='ephemeral') }}

with tickets as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.opened_on as event_on,
        case when facts.is_open or facts.closed_on > wanted.as_of then 1 end as open_ticket,
        case when {{ days_between('facts.opened_on', 'wanted.as_of') }} < 90 then 1 end as recent_ticket,
        cast(null as decimal(18, 4)) as score_of_five
    {{ from_facts_until('fct_tickets', 'opened_on') }}

),

feedback as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.given_on as event_on,
        null as open_ticket,
        null as recent_ticket,
        facts.score_of_five
    {{ from_facts_until('fct_feedback', 'given_on') }}

),

events as (

    select * from tickets
    union all
    select * from feedback

)

select
    as_of,
    customer_id,
    min(event_on) as first_service_on,
    count(open_ticket) as tickets_open,
    count(recent_ticket) as tickets_90d,
    avg(score_of_five) as feedback_score_mean
from events
group by as_of, customer_id
