-- Skills are separated by semicolons.
select
    rep_id,
    name,
    email,
    team_id,
    manager_rep_id,
    region,
    string_split(skills, ';') as skills,
    monthly_capacity,
    active,
    hired_on,
    changed_at as updated_at,
    _source_file,
    _row
from sales_reps
