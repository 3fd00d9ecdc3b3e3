{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='interaction_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['interactions'], 'interaction_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    interaction_id,
    customer_id,
    lead_id,
    occurred_at,
    occurred_on,
    channel,
    direction,
    kind,
    product_id,
    campaign_id,
    duration_seconds,
    outcome,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_interactions') }}
{{ only_changed('interaction_id') }}
