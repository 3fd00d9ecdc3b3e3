-- One row per stock code as written. Name and price are those of the latest regular sale: corrections and write-offs
-- carry remarks like "damaged" instead of a name.
select
    StockCode as product_id,
    coalesce(
        arg_max(Description, (InvoiceDate, _row)) filter (where is_sale),
        arg_max(Description, (InvoiceDate, _row))
    ) as name,
    arg_max(UnitPrice, (InvoiceDate, _row)) filter (where is_sale) as list_price,
    'GBP' as currency,
    max(InvoiceDate) as updated_at,
    any_value(_source_file) as _source_file,
    list(_row) as _row
from (
    select
        *,
        coalesce(try_cast(Quantity as decimal(18, 4)) > 0 and try_cast(UnitPrice as decimal(18, 4)) > 0, false)
            as is_sale
    from lines
)
group by 1
