with source as (

    select * from {{ source('raw', 'leads') }}

),

renamed as (

    select
        lead_id,
        created_at,
        {{ utc_date('created_at') }} as created_on,
        source,
        name,
        email,
        company,
        industry,
        attributes,
        status,
        converted_at,
        {{ utc_date('converted_at') }} as converted_on,
        opportunity_id,
        owner_rep_id,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
