with source as (

    select * from {{ source('raw', 'opportunity_stages') }}

),

renamed as (

    select
        opportunity_id,
        stage,
        entered_at,
        rep_id,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
