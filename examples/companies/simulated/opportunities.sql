select
    opportunity_id,
    customer_id,
    lead_id,
    name,
    product_id,
    stage,
    amount,
    created_at,
    expected_close_on,
    closed_at,
    is_won,
    lost_reason,
    owner_rep_id,
    'EUR' as currency,
    changed_at as updated_at,
    _source_file,
    _row
from opportunities
