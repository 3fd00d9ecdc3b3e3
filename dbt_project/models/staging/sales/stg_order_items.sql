with source as (

    select * from {{ source('raw', 'order_items') }}

),

renamed as (

    select
        order_id,
        line_no,
        product_id,
        seller_id,
        quantity,
        unit_price,
        coalesce(discount, 0) as discount,
        coalesce(freight, 0) as freight,
        coalesce(is_duplicate, false) as is_duplicate,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
