-- Prices are numbers, now and then with the currency: 12.50, "12,50 EUR" or "€ 12.50". A negative quantity is a return.
select
    order_id,
    line_no,
    product_id,
    seller_id,
    quantity,
    case
        when ends_with(unit_price, ' EUR') then replace(replace(unit_price, ' EUR', ''), ',', '.')
        when starts_with(unit_price, '€ ') then replace(unit_price, '€ ', '')
        else unit_price
    end as unit_price,
    discount,
    freight,
    false as is_duplicate,
    changed_at as updated_at,
    _source_file,
    _row
from order_items
