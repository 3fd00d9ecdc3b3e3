with source as (

    select * from {{ source('raw', 'tickets') }}

),

renamed as (

    select
        ticket_id,
        customer_id,
        opened_at,
        {{ utc_date('opened_at') }} as opened_on,
        first_response_at,
        closed_at,
        {{ utc_date('closed_at') }} as closed_on,
        channel,
        subject,
        body,
        status,
        priority,
        category,
        assignee_rep_id,
        updated_at,
        _batch
    from source
    where not _deleted

)

select * from renamed
