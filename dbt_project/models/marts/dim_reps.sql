with reps as (

    select * from {{ ref('stg_sales_reps') }}

)

select
    reps.rep_id,
    reps.name,
    reps.team_id,
    reps.manager_rep_id,
    managers.name as manager_name,
    reps.region,
    reps.skills,
    reps.monthly_capacity,
    reps.is_active,
    reps.hired_on,
    reps._batch
from reps
left join reps as managers on reps.manager_rep_id = managers.rep_id
