select
    feedback_id,
    customer_id,
    order_id,
    ticket_id,
    given_at,
    kind,
    score,
    text,
    changed_at as updated_at,
    _source_file,
    _row
from feedback
