{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key=['campaign_id', 'customer_id'],
        meta={'replace_on': ['customer_id'], 'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['campaign_members'], 'customer_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    campaign_id,
    customer_id,
    sent_at,
    sent_on,
    arm,
    opened_at,
    clicked_at,
    converted_at,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_campaign_members') }}
{{ only_changed('customer_id') }}
