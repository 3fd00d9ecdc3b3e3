-- A window still open would call a customer who buys tomorrow one who never did.
select
    as_of,
    horizon_days,
    count(*) as labels
from {{ ref('lbl_customers') }}
where {{ dbt.dateadd('day', 'horizon_days', 'as_of') }} > {{ as_of() }}
group by as_of, horizon_days
