select
    rep_id,
    period_start,
    period,
    amount,
    changed_at as updated_at,
    _source_file,
    _row
from quotas
