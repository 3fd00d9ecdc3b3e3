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
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
