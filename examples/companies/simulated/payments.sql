-- Amounts are written like prices (see order_items.sql). A negative amount is a refund.
select
    payment_id,
    order_id,
    method,
    case
        when ends_with(amount, ' EUR') then replace(replace(amount, ' EUR', ''), ',', '.')
        when starts_with(amount, '€ ') then replace(amount, '€ ', '')
        else amount
    end as amount,
    instalments,
    paid_at,
    changed_at as updated_at,
    _source_file,
    _row
from payments
