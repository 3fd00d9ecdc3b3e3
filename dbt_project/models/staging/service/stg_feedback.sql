with source as (

    select * from {{ source('raw', 'feedback') }}

),

renamed as (

    select
        feedback_id,
        customer_id,
        order_id,
        ticket_id,
        given_at,
        {{ utc_date('given_at') }} as given_on,
        kind,
        score,
        text,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
