-- One row per line, numbered as the file has them within the invoice. A copy is a line that equals an earlier one in all
-- eight columns: kept and flagged, because nobody knows whether it was sold twice or exported twice.
select
    InvoiceNo as order_id,
    row_number() over (partition by InvoiceNo order by _row) as line_no,
    StockCode as product_id,
    Quantity as quantity,
    UnitPrice as unit_price,
    '0' as discount,
    row_number() over (
        partition by InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country
        order by _row
    ) > 1 as is_duplicate,
    InvoiceDate as updated_at,
    _source_file,
    _row
from lines
