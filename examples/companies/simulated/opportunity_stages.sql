select
    opportunity_id,
    stage,
    entered_at,
    rep_id,
    changed_at as updated_at,
    _source_file,
    _row
from opportunity_stages
