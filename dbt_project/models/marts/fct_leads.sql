with leads as (

    select * from {{ ref('stg_leads') }}

)

select
    lead_id,
    created_at,
    created_on,
    source,
    industry,
    status,
    converted_at,
    converted_on,
    opportunity_id,
    owner_rep_id,
    coalesce(status = 'converted', false) or converted_at is not null as is_converted,
    cast({{ days_between('created_on', 'converted_on') }} as bigint) as days_to_convert,
    _batch
from leads
