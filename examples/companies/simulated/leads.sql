-- attributes holds what the web form asked, as JSON.
select
    lead_id,
    month_first(created_at) as created_at,
    source,
    name,
    email,
    company,
    industry,
    attributes,
    status,
    converted_at,
    opportunity_id,
    owner_rep_id,
    changed_at as updated_at,
    _source_file,
    _row
from leads
