with source as (

    select * from {{ source('raw', 'campaigns') }}

),

renamed as (

    select
        campaign_id,
        name,
        channel,
        starts_on,
        ends_on,
        cost,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
