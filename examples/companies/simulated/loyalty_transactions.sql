select
    transaction_id,
    customer_id,
    occurred_at,
    points,
    reason,
    changed_at as updated_at,
    _source_file,
    _row
from loyalty_transactions
