-- When a deal entered a stage, as far as the pipeline dates it: engaging, then won or lost.
select opportunity_id, 'engaging' as stage, engage_date as entered_at, sales_agent as rep_id, _source_file, _row
from pipeline
where engage_date is not null
union all
select opportunity_id, lower(deal_stage), close_date, sales_agent, _source_file, _row
from pipeline
where close_date is not null
