with source as (

    select * from {{ source('raw', 'loyalty_transactions') }}

),

renamed as (

    select
        transaction_id,
        customer_id,
        occurred_at,
        {{ utc_date('occurred_at') }} as occurred_on,
        points,
        reason,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
