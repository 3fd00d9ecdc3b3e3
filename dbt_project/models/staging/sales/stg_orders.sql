with source as (

    select * from {{ source('raw', 'orders') }}

),

renamed as (

    select
        order_id,
        customer_id,
        ordered_at,
        {{ utc_date('ordered_at') }} as ordered_on,
        status,
        channel,
        currency,
        rep_id,
        opportunity_id,
        delivered_at,
        {{ utc_date('delivered_at') }} as delivered_on,
        promised_at,
        updated_at,
        {{ utc_date('updated_at') }} as updated_on,
        _batch
    from source
    where not _deleted

)

select * from renamed
