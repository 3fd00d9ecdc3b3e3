{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key=['as_of', 'horizon_days', 'customer_id'],
        meta={'replace_on': ['as_of', 'horizon_days']},
        partitioned_by='as_of',
        pre_hook="{{ collect_changed(this, closed_windows()) if is_incremental() }}",
    )
}}

with windows as (

    {{ closed_windows() }}

),

purchases as (

    select
        windows.as_of,
        windows.horizon_days,
        orders.customer_id,
        count(*) as purchases_next,
        sum(orders.sale_net_amount) as revenue_next
    from {{ ref('fct_orders') }} as orders
    inner join windows on orders.ordered_on > windows.as_of and orders.ordered_on <= windows.closes_on
    where {{ was_purchase('orders', as_of()) }}
    group by windows.as_of, windows.horizon_days, orders.customer_id

)

select
    features.customer_id,
    features.as_of,
    windows.horizon_days,
    coalesce(purchases.purchases_next, 0) > 0 as has_purchased_next,
    coalesce(purchases.purchases_next, 0) = 0 as has_lapsed_next,
    coalesce(purchases.purchases_next, 0) as purchases_next,
    cast(coalesce(purchases.revenue_next, 0) as double) as revenue_next,
    features._batch
from {{ ref('ftr_customers') }} as features
inner join windows on features.as_of = windows.as_of
left join purchases
    on
        features.customer_id = purchases.customer_id
        and windows.as_of = purchases.as_of
        and windows.horizon_days = purchases.horizon_days
