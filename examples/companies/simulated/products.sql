select
    product_id,
    name,
    category,
    product_type,
    list_price,
    active,
    'EUR' as currency,
    changed_at as updated_at,
    _source_file,
    _row
from products
