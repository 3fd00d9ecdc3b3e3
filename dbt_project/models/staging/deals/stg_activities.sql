with source as (

    select * from {{ source('raw', 'activities') }}

),

renamed as (

    select
        activity_id,
        rep_id,
        customer_id,
        opportunity_id,
        kind,
        subject,
        due_at,
        done_at,
        status,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
