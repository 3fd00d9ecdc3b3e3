with source as (

    select * from {{ source('raw', 'quotas') }}

),

renamed as (

    select
        rep_id,
        period_start,
        period,
        amount,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
