{{ config(materialized='ephemeral') }}
{#- The first purchase of a product does not depend on later ones: computed once, it holds for every cut-off. -#}

with first_purchases as (

    select
        customer_id,
        product_id,
        min(ordered_on) as first_on
    from {{ ref('fct_order_items') }}
    where
        is_purchase_line
        and is_product
        and not is_duplicate
        and product_id is not null
        and customer_id is not null
        {{ and_is_wanted() }}
    group by customer_id, product_id

),

unsettled as (

    select * from {{ ref('int_unsettled_customers') }}

),

products as (

    select
        wanted.as_of,
        first_purchases.customer_id,
        count(*) as distinct_products
    from first_purchases
    inner join ({{ cutoffs() }}) as wanted on first_purchases.first_on <= wanted.as_of
    group by wanted.as_of, first_purchases.customer_id

),

orders_then as (

    select
        unsettled.as_of,
        unsettled.customer_id,
        orders.order_id
    from unsettled
    inner join {{ ref('fct_orders') }} as orders
        on unsettled.customer_id = orders.customer_id and unsettled.as_of >= orders.ordered_on
    where {{ was_purchase('orders', 'unsettled.as_of') }}

),

products_then as (

    select
        orders_then.as_of,
        orders_then.customer_id,
        count(distinct lines.product_id) as distinct_products
    from orders_then
    inner join {{ ref('fct_order_items') }} as lines on orders_then.order_id = lines.order_id
    where lines.is_sale_line and lines.is_product and not lines.is_duplicate
    group by orders_then.as_of, orders_then.customer_id

)

select * from products_then
union all
select products.*
from products
left join unsettled on products.customer_id = unsettled.customer_id and products.as_of = unsettled.as_of
where unsettled.customer_id is null
