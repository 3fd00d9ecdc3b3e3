with source as (

    select * from {{ source('raw', 'products') }}

),

renamed as (

    select
        product_id,
        name,
        category,
        product_type,
        list_price,
        currency,
        coalesce(active, true) as is_active,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
