-- Dates stand in three notations: 2026-06-30 14:05:00, 30.06.2026 14:05 and 06/30/2026 02:05 PM. Malformed mails and
-- phones stay as they are written: they are unusual, not unusable.
select
    customer_id,
    kind,
    name,
    email,
    phone,
    company,
    industry,
    employees,
    annual_revenue,
    city,
    region,
    country,
    postal_code,
    birth_on,
    case when created_at in ('n/a', '-') then null else month_first(created_at) end as created_at,
    owner_rep_id,
    parent_customer_id,
    source_system,
    changed_at as updated_at,
    _source_file,
    _row
from customers
