with source as (

    select * from {{ source('raw', 'sales_reps') }}

),

renamed as (

    select
        rep_id,
        name,
        email,
        team_id,
        manager_rep_id,
        region,
        {{ joined_text('skills') }} as skills,
        monthly_capacity,
        coalesce(active, true) as is_active,
        hired_on,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
