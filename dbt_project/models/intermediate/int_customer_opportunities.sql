{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='opportunity_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['opportunities'], 'opportunity_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    opportunity_id,
    customer_id,
    created_on,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_opportunities') }}
{{ only_changed('opportunity_id') }}
