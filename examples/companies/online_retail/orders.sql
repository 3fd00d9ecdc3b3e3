-- One row per invoice. 43 invoices carry two times: the order was placed at the earlier one. A C-invoice is a credit note.
select
    InvoiceNo as order_id,
    any_value(regexp_replace(CustomerID, '\.0$', '')) as customer_id,
    min(InvoiceDate) as ordered_at,
    case when InvoiceNo like 'C%' then 'cancelled' else 'completed' end as status,
    'web' as channel,
    'GBP' as currency,
    max(InvoiceDate) as updated_at,
    any_value(_source_file) as _source_file,
    list(_row) as _row
from lines
group by InvoiceNo
