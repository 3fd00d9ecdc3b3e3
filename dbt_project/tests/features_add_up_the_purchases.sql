-- Over all customers the features as of today say what the orders up to today say.
with features as (

    select
        as_of,
        sum(purchases_total) as purchases,
        sum(revenue_total) as revenue
    from {{ ref('ftr_customers') }}
    where as_of = {{ as_of() }}
    group by as_of

),

orders as (

    select
        features.as_of,
        count(*) as purchases,
        sum(orders.sale_net_amount) as revenue
    from features
    inner join {{ ref('fct_orders') }} as orders on orders.ordered_on <= features.as_of
    inner join {{ ref('dim_customers') }} as customers on orders.customer_id = customers.customer_id
    where {{ was_purchase('orders', 'features.as_of') }}
    group by features.as_of

)

select
    features.as_of,
    features.purchases,
    orders.purchases as orders_purchases,
    features.revenue,
    orders.revenue as orders_revenue
from features
left join orders on features.as_of = orders.as_of
where
    features.purchases <> coalesce(orders.purchases, 0)
    or abs(features.revenue - coalesce(orders.revenue, 0)) > 1e-9 * (1 + abs(features.revenue))
