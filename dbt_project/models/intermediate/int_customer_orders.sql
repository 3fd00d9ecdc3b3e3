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

with dated_orders as (

    select * from {{ ref('fct_orders') }}
    where customer_id is not null and ordered_on is not null

),

orders as (

    select
        *,
        case when is_late then delivered_on end as late_on
    from dated_orders
    {{ only_changed('order_id') }}

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
        dated_orders.customer_id,
        dated_orders.ordered_on,
        lines.product_id
    from {{ ref('fct_order_items') }} as lines
    inner join dated_orders on lines.order_id = dated_orders.order_id
    where
        dated_orders.is_purchase
        and lines.is_purchase_line
        and lines.is_product
        and not lines.is_duplicate
        and lines.product_id is not null

),

first_purchases as (

    select
        purchased.customer_id,
        purchased.product_id,
        min(purchased.ordered_on) as first_on
    from purchased
    {% if is_incremental() -%}
    inner join {{ changed(this) }}_from as changed
        on purchased.customer_id = changed.customer_id and purchased.ordered_on >= changed.changed_from
    where
        not exists (
            select 1
            from purchased as before
            inner join {{ changed(this) }}_from as changed_before
                on before.customer_id = changed_before.customer_id and before.ordered_on < changed_before.changed_from
            where before.customer_id = purchased.customer_id and before.product_id = purchased.product_id
        )
    {%- endif %}
    group by purchased.customer_id, purchased.product_id

),

new_products as (

    select
        customer_id,
        first_on,
        count(*) as new_products
    from first_purchases
    group by customer_id, first_on

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
