with source as (

    select * from {{ source('raw', 'opportunities') }}

),

renamed as (

    select
        opportunity_id,
        customer_id,
        lead_id,
        name,
        product_id,
        stage,
        amount,
        currency,
        created_at,
        {{ utc_date('created_at') }} as created_on,
        expected_close_on,
        closed_at,
        {{ utc_date('closed_at') }} as closed_on,
        is_won,
        lost_reason,
        owner_rep_id,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
