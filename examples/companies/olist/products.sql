-- One row per product. The files name no product, so it is called by its category; its list price is the median of what
-- it was sold for.
select
    p.product_id,
    coalesce(t.name, p.product_category_name) as name,
    coalesce(t.name, p.product_category_name) as category,
    s.price as list_price,
    'BRL' as currency,
    s.sold_at as updated_at,
    p._source_file,
    p._row
from products p
left join (
    select product_category_name, any_value(product_category_name_english) as name from translations group by 1
) t
    on t.product_category_name = p.product_category_name
left join (
    select
        items.product_id,
        median(try_cast(items.price as decimal(18, 4)))::decimal(18, 2) as price,
        max(orders.order_purchase_timestamp) as sold_at
    from items
    left join orders on orders.order_id = items.order_id
    group by 1
) s
    on s.product_id = p.product_id
