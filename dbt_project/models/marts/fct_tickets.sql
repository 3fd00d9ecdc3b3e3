{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='ticket_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['tickets'], 'ticket_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    ticket_id,
    customer_id,
    opened_at,
    opened_on,
    first_response_at,
    closed_at,
    closed_on,
    channel,
    status,
    priority,
    category,
    assignee_rep_id,
    closed_at is null and coalesce(status <> 'closed', true) as is_open,
    cast({{ dbt.datediff('opened_at', 'first_response_at', 'minute') }} as bigint) as first_response_minutes,
    cast({{ dbt.datediff('opened_at', 'closed_at', 'hour') }} as bigint) as resolution_hours,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_tickets') }}
{{ only_changed('ticket_id') }}
