with source as (

    select * from {{ source('raw', 'campaign_members') }}

),

renamed as (

    select
        campaign_id,
        customer_id,
        sent_at,
        {{ utc_date('sent_at') }} as sent_on,
        arm,
        opened_at,
        clicked_at,
        converted_at,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
