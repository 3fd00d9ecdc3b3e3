select
    product_id,
    name,
    category,
    product_type,
    list_price,
    currency,
    is_active,
    {{ is_product('product_id') }} as is_product,
    _batch
from {{ ref('stg_products') }}
