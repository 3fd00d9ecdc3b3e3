-- An order's totals are the sums over its lines and payments. (Lines and payments without an order are the business of
-- the relationship tests.)
with orders as (

    select
        coalesce(sum(line_count), 0) as line_count,
        coalesce(sum(gross_amount), 0) as gross_amount,
        coalesce(sum(net_amount), 0) as net_amount,
        coalesce(sum(revenue_amount), 0) as revenue_amount,
        coalesce(sum(freight_amount), 0) as freight_amount,
        coalesce(sum(payment_count), 0) as payment_count,
        coalesce(sum(paid_amount), 0) as paid_amount
    from {{ ref('fct_orders') }}

),

lines as (

    select
        count(*) as line_count,
        coalesce(sum(gross_amount), 0) as gross_amount,
        coalesce(sum(net_amount), 0) as net_amount,
        coalesce(sum(case when is_purchase_line and not is_duplicate then net_amount end), 0) as revenue_amount,
        coalesce(sum(freight), 0) as freight_amount
    from {{ ref('fct_order_items') }}
    where order_id in (select order_id from {{ ref('fct_orders') }})

),

payments as (

    select
        count(*) as payment_count,
        coalesce(sum(amount), 0) as paid_amount
    from {{ ref('fct_payments') }}
    where order_id in (select order_id from {{ ref('fct_orders') }})

)

select
    orders.gross_amount,
    lines.gross_amount as lines_gross_amount,
    orders.paid_amount,
    payments.paid_amount as payments_paid_amount
from orders
cross join lines
cross join payments
where
    orders.line_count <> lines.line_count
    or orders.gross_amount <> lines.gross_amount
    or orders.net_amount <> lines.net_amount
    or orders.revenue_amount <> lines.revenue_amount
    or orders.freight_amount <> lines.freight_amount
    or orders.payment_count <> payments.payment_count
    or orders.paid_amount <> payments.paid_amount
