select
    campaign_id,
    customer_id,
    sent_at,
    arm,
    opened_at,
    clicked_at,
    converted_at,
    changed_at as updated_at,
    _source_file,
    _row
from campaign_members
