with source as (

    select * from {{ source('raw', 'payments') }}

),

renamed as (

    select
        payment_id,
        order_id,
        method,
        amount,
        instalments,
        paid_at,
        {{ utc_date('paid_at') }} as paid_on,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
