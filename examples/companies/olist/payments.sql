-- One row per payment of an order; paid when the order was approved.
select
    p.order_id || '-' || p.payment_sequential as payment_id,
    p.order_id,
    p.payment_type as method,
    p.payment_value as amount,
    p.payment_installments as instalments,
    o.paid_at,
    coalesce(o.paid_at, o.ordered_at) as updated_at,
    p._source_file,
    p._row
from payments p
left join (
    select order_id, min(order_approved_at) as paid_at, min(order_purchase_timestamp) as ordered_at from orders group by 1
) o
    on o.order_id = p.order_id
