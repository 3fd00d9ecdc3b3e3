with source as (

    select * from {{ source('raw', 'interactions') }}

),

renamed as (

    select
        interaction_id,
        customer_id,
        lead_id,
        occurred_at,
        {{ utc_date('occurred_at') }} as occurred_on,
        channel,
        direction,
        kind,
        product_id,
        campaign_id,
        duration_seconds,
        outcome,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
