{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='order_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_orders(this, and_marked=true) }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}
-- depends_on: {{ ref('int_order_changes') }}

with orders as (

    select * from {{ ref('stg_orders') }}
    {{ only_changed('order_id') }}

),

lines as (

    select
        order_id,
        count(*) as line_count,
        sum(quantity) as quantity,
        sum(gross_amount) as gross_amount,
        sum(net_amount) as net_amount,
        sum(freight) as freight_amount,
        sum(discount) as discount_amount,
        count(case when is_sale_line then 1 end) as sale_line_count,
        sum(case when is_sale_line and not is_duplicate then quantity else 0 end) as sale_quantity,
        sum(case when is_sale_line and not is_duplicate then gross_amount else 0 end) as sale_gross_amount,
        sum(case when is_sale_line and not is_duplicate then net_amount else 0 end) as sale_net_amount,
        max(_batch) as _batch
    from {{ ref('fct_order_items') }}
    {{ only_changed('order_id') }}
    group by order_id

),

payments as (

    select
        order_id,
        count(*) as payment_count,
        sum(amount) as paid_amount,
        max(_batch) as _batch
    from {{ ref('fct_payments') }}
    {{ only_changed('order_id') }}
    group by order_id

)

select
    orders.order_id,
    orders.customer_id,
    orders.ordered_at,
    orders.ordered_on,
    orders.status,
    orders.updated_on as status_on,
    orders.channel,
    orders.currency,
    orders.rep_id,
    orders.opportunity_id,
    orders.delivered_at,
    orders.delivered_on,
    orders.promised_at,
    coalesce(orders.status = 'cancelled', false) as is_cancelled,
    lines.order_id is not null as has_items,
    coalesce(orders.delivered_at > orders.promised_at, false) as is_late,
    coalesce(lines.line_count, 0) as line_count,
    cast(coalesce(lines.quantity, 0) as decimal(38, 4)) as quantity,
    cast(coalesce(lines.gross_amount, 0) as decimal(38, 4)) as gross_amount,
    cast(coalesce(lines.net_amount, 0) as decimal(38, 4)) as net_amount,
    cast(case when {{ is_purchase_status('orders.status') }} then coalesce(lines.sale_net_amount, 0) else 0 end
        as decimal(38, 4)) as revenue_amount,
    cast(coalesce(lines.freight_amount, 0) as decimal(38, 4)) as freight_amount,
    cast(coalesce(lines.discount_amount, 0) as decimal(38, 4)) as discount_amount,
    cast(coalesce(lines.sale_quantity, 0) as decimal(38, 4)) as sale_quantity,
    cast(coalesce(lines.sale_gross_amount, 0) as decimal(38, 4)) as sale_gross_amount,
    cast(coalesce(lines.sale_net_amount, 0) as decimal(38, 4)) as sale_net_amount,
    coalesce(payments.payment_count, 0) as payment_count,
    cast(coalesce(payments.paid_amount, 0) as decimal(38, 4)) as paid_amount,
    orders.customer_id is not null and coalesce(lines.sale_line_count, 0) > 0 as is_sale,
    orders.customer_id is not null and coalesce(lines.sale_line_count, 0) > 0
    and {{ is_purchase_status('orders.status') }} as is_purchase,
    {{ seen('greatest(orders._batch, coalesce(lines._batch, 0), coalesce(payments._batch, 0))') }} as _batch
from orders
left join lines on orders.order_id = lines.order_id
left join payments on orders.order_id = payments.order_id
