-- Slashed dates of this CRM are month first. Orders for customers that nobody knows go to quarantine with their lines.
select
    order_id,
    customer_id,
    month_first(ordered_at) as ordered_at,
    status,
    channel,
    rep_id,
    opportunity_id,
    promised_at,
    delivered_at,
    'EUR' as currency,
    changed_at as updated_at,
    _source_file,
    _row
from orders
