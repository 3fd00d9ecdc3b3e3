-- One row per sales agent, known by name. A manager's agents are a team.
select
    sales_agent as rep_id,
    sales_agent as name,
    manager as team_id,
    manager as manager_rep_id,
    regional_office as region,
    true as active,
    _source_file,
    _row
from teams
