with source as (

    select * from {{ source('raw', 'customers') }}

),

renamed as (

    select
        customer_id,
        kind,
        name,
        email,
        phone,
        company,
        industry,
        employees,
        annual_revenue,
        city,
        region,
        country,
        postal_code,
        birth_on,
        created_at,
        {{ utc_date('created_at') }} as created_on,
        owner_rep_id,
        parent_customer_id,
        source_system,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
