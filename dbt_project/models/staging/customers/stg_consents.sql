with source as (

    select * from {{ source('raw', 'consents') }}

),

renamed as (

    select
        customer_id,
        channel,
        purpose,
        coalesce(granted, false) as is_granted,
        basis,
        captured_at,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
