-- One row per product, known by its name.
select
    product as product_id,
    product as name,
    series as category,
    sales_price as list_price,
    'USD' as currency,
    true as active,
    _source_file,
    _row
from products
