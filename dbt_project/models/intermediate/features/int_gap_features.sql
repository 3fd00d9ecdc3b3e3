{{ config(materialized='ephemeral') }}
{#- The gap before a purchase day does not depend on later ones: computed once, it holds for every cut-off. -#}

with purchase_days as (

    select distinct
        customer_id,
        ordered_on
    from {{ ref('fct_orders') }}
    where is_purchase {{ and_is_wanted() }}

),

gaps as (

    select
        customer_id,
        ordered_on,
        {{ days_between('lag(ordered_on) over (partition by customer_id order by ordered_on)', 'ordered_on') }} as gap_days
    from purchase_days
    where ordered_on is not null

),

unsettled as (

    select * from {{ ref('int_unsettled_customers') }}

),

purchase_days_then as (

    select distinct
        unsettled.as_of,
        unsettled.customer_id,
        orders.ordered_on
    from unsettled
    inner join {{ ref('fct_orders') }} as orders
        on unsettled.customer_id = orders.customer_id and unsettled.as_of >= orders.ordered_on
    where {{ was_purchase('orders', 'unsettled.as_of') }}

),

gaps_then as (

    select
        as_of,
        customer_id,
        {{ days_between('lag(ordered_on) over (partition by as_of, customer_id order by ordered_on)', 'ordered_on') }}
            as gap_days
    from purchase_days_then

),

sums as (

    select
        wanted.as_of,
        gaps.customer_id,
        {{ gap_sums('gaps.gap_days') }}
    from gaps
    inner join ({{ cutoffs() }}) as wanted on gaps.ordered_on <= wanted.as_of
    group by wanted.as_of, gaps.customer_id

),

sums_then as (

    select
        as_of,
        customer_id,
        {{ gap_sums('gap_days') }}
    from gaps_then
    group by as_of, customer_id

)

select * from sums_then
union all
select sums.*
from sums
left join unsettled on sums.customer_id = unsettled.customer_id and sums.as_of = unsettled.as_of
where unsettled.customer_id is null
