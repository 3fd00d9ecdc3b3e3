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

)

select
    wanted.as_of,
    gaps.customer_id,
    count(gaps.gap_days) as gaps,
    sum(gaps.gap_days) as gap_days_sum,
    sum(gaps.gap_days * gaps.gap_days) as gap_days_square_sum
from gaps
inner join ({{ cutoffs() }}) as wanted on gaps.ordered_on <= wanted.as_of
group by wanted.as_of, gaps.customer_id
