{{
    config(
        unique_key='order_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook=["{{ collect_changed_purchase_days(this) }}", "{{ collect_changed_customer_orders(this) }}"],
        tags=['scoring'],
    )
}}
{#
    What an order says about its customer never depends on later orders. So when an order changes, only the customer's
    orders of that day and after are rebuilt (`changed_from`), and an appended order costs no more than itself.
#}
-- depends_on: {{ ref('int_customer_changes') }}
{#- Not a common table expression: read twice, it would be copied whole into memory. #}
{% set sold_goods -%}
(
        select
            order_id,
            customer_id,
            product_id,
            ordered_on
        from {{ ref('fct_order_items') }}
        where
            is_purchase_line
            and is_product
            and not is_duplicate
            and product_id is not null
            and customer_id is not null
            and ordered_on is not null
    )
{%- endset %}

with orders as (

    select
        *,
        case when is_late then delivered_on end as late_on
    from {{ ref('fct_orders') }}
    where
        customer_id is not null
        and ordered_on is not null
        {% if is_incremental() -%}
        and order_id in (select order_id from {{ changed(this) }})
        {%- endif %}

),

purchase_days as (

    select
        customer_id,
        ordered_on,
        min(order_id) as first_order_id
    from orders
    where is_purchase
    group by customer_id, ordered_on

),

earlier_purchases as (

    {% if is_incremental() -%}
    select
        before.customer_id,
        max(before.ordered_on) as ordered_on
    from {{ this }} as before
    inner join {{ changed(this) }}_from as changed on before.customer_id = changed.customer_id
    where before.is_purchase and before.ordered_on < changed.changed_from
    group by before.customer_id
    {%- else -%}
    select
        customer_id,
        ordered_on
    from purchase_days
    where false
    {%- endif %}

),

gaps as (

    select
        purchase_days.first_order_id,
        purchase_days.customer_id,
        purchase_days.ordered_on,
        coalesce(
            lag(purchase_days.ordered_on) over (
                partition by purchase_days.customer_id order by purchase_days.ordered_on
            ),
            earlier_purchases.ordered_on
        ) as previous_on
    from purchase_days
    left join earlier_purchases on purchase_days.customer_id = earlier_purchases.customer_id

),

purchased as (

    select
        customer_id,
        product_id,
        min(ordered_on) as first_on
    from {{ sold_goods }} as sold_goods
    {{ only_changed('order_id') }}
    group by customer_id, product_id

),

purchased_before as (

    select distinct
        purchased.customer_id,
        purchased.product_id
    from purchased
    inner join {{ sold_goods }} as sold_goods
        on purchased.customer_id = sold_goods.customer_id
        and purchased.product_id = sold_goods.product_id
        and purchased.first_on > sold_goods.ordered_on
    where {{ is_incremental() }}

),

new_products as (

    select
        purchased.customer_id,
        purchased.first_on,
        count(*) as new_products
    from purchased
    left join purchased_before
        on purchased.customer_id = purchased_before.customer_id
        and purchased.product_id = purchased_before.product_id
    where purchased_before.customer_id is null
    group by purchased.customer_id, purchased.first_on

)

select
    orders.order_id,
    orders.customer_id,
    orders.ordered_on,
    orders.is_purchase,
    orders.is_cancelled,
    orders.late_on,
    orders.revenue_amount,
    orders.sold_gross_amount,
    orders.sold_quantity,
    gaps.first_order_id is not null as is_first_of_day,
    {{ days_between('gaps.previous_on', 'gaps.ordered_on') }} as gap_days,
    coalesce(new_products.new_products, 0) as new_products,
    orders._batch
from orders
left join gaps on orders.order_id = gaps.first_order_id
left join new_products on gaps.customer_id = new_products.customer_id and gaps.ordered_on = new_products.first_on
