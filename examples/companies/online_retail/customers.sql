-- One row per CustomerID. A customer with invoices from two countries is in the country of the latest one.
select
    regexp_replace(CustomerID, '\.0$', '') as customer_id,
    arg_max(Country, (InvoiceDate, _row)) as country,
    min(InvoiceDate) as created_at,
    'online_retail' as source_system,
    max(InvoiceDate) as updated_at,
    any_value(_source_file) as _source_file,
    list(_row) as _row
from lines
where CustomerID is not null
group by 1
