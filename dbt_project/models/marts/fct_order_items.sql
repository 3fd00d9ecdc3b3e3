{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key=['order_id', 'line_no'],
        meta={'replace_on': ['order_id'], 'marks': {'int_day_changes': 'ordered_on'}},
        pre_hook="{{ collect_changed_orders(this) }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_day_changes') }}

with lines as (

    select * from {{ ref('stg_order_items') }}
    {{ only_changed('order_id') }}

),

orders as (

    select * from {{ ref('stg_orders') }}
    {{ only_changed('order_id') }}

),

amounts as (

    select
        lines.order_id,
        lines.line_no,
        lines.product_id,
        lines.seller_id,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.status as order_status,
        lines.quantity,
        lines.unit_price,
        lines.discount,
        lines.freight,
        cast(coalesce(lines.quantity * lines.unit_price, 0) as decimal(38, 4)) as gross_amount,
        coalesce(lines.quantity > 0 and lines.unit_price > 0, false) as is_sale_line,
        lines.is_duplicate,
        {{ seen('greatest(lines._batch, coalesce(orders._batch, 0))') }} as _batch
    from lines
    left join orders on lines.order_id = orders.order_id

)

select
    order_id,
    line_no,
    product_id,
    seller_id,
    customer_id,
    ordered_at,
    ordered_on,
    order_status,
    quantity,
    unit_price,
    discount,
    freight,
    gross_amount,
    cast(gross_amount - discount as decimal(38, 4)) as net_amount,
    is_duplicate,
    coalesce(quantity < 0, false) as is_return,
    {{ is_product('product_id') }} as is_product,
    is_sale_line,
    {{ is_purchase_status('order_status') }} and is_sale_line as is_purchase_line,
    _batch
from amounts
