{{ config(materialized='ephemeral') }}

with loyalty as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.occurred_on as event_on,
        facts.points,
        cast(null as integer) as recent_campaign
    {{ from_facts_until('fct_loyalty_transactions', 'occurred_on') }}

),

campaigns as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.sent_on as event_on,
        cast(null as integer) as points,
        case when {{ days_between('facts.sent_on', 'wanted.as_of') }} < 90 then 1 end as recent_campaign
    {{ from_facts_until('fct_campaign_members', 'sent_on') }}

),

opportunities as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.created_on as event_on,
        cast(null as integer) as points,
        cast(null as integer) as recent_campaign
    {{ from_facts_until('int_customer_opportunities', 'created_on') }}

),

events as (

    select * from loyalty
    union all
    select * from campaigns
    union all
    select * from opportunities

)

select
    as_of,
    customer_id,
    min(event_on) as first_relationship_on,
    sum(points) as loyalty_points,
    count(recent_campaign) as campaigns_sent_90d
from events
group by as_of, customer_id
