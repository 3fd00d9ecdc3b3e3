-- One row per item; every item is one piece, so the same product bought twice stands in two rows.
select
    i.order_id,
    i.order_item_id as line_no,
    i.product_id,
    i.seller_id,
    '1' as quantity,
    i.price as unit_price,
    '0' as discount,
    i.freight_value as freight,
    false as is_duplicate,
    o.ordered_at as updated_at,
    i._source_file,
    i._row
from items i
left join (select order_id, min(order_purchase_timestamp) as ordered_at from orders group by 1) o
    on o.order_id = i.order_id
