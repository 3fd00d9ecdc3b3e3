select
    activity_id,
    rep_id,
    customer_id,
    opportunity_id,
    kind,
    subject,
    due_at,
    done_at,
    status,
    changed_at as updated_at,
    _source_file,
    _row
from activities
