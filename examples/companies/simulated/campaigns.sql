select
    campaign_id,
    name,
    channel,
    starts_on,
    ends_on,
    cost,
    changed_at as updated_at,
    _source_file,
    _row
from campaigns
