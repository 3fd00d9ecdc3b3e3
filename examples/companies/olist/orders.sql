-- One row per order. `unavailable` means that the goods were gone: the order came to nothing, like a cancelled one.
select
    o.order_id,
    coalesce(c.customer_unique_id, o.customer_id) as customer_id,
    o.order_purchase_timestamp as ordered_at,
    case o.order_status
        when 'delivered' then 'completed'
        when 'shipped' then 'shipped'
        when 'canceled' then 'cancelled'
        when 'unavailable' then 'cancelled'
        when 'created' then 'placed'
        when 'approved' then 'placed'
        when 'processing' then 'placed'
        when 'invoiced' then 'placed'
        else o.order_status
    end as status,
    'web' as channel,
    'BRL' as currency,
    o.order_delivered_customer_date as delivered_at,
    o.order_estimated_delivery_date as promised_at,
    greatest(
        o.order_purchase_timestamp,
        o.order_approved_at,
        o.order_delivered_carrier_date,
        o.order_delivered_customer_date
    ) as updated_at,
    o._source_file,
    o._row
from orders o
left join (select customer_id, any_value(customer_unique_id) as customer_unique_id from customers group by 1) c
    on c.customer_id = o.customer_id
