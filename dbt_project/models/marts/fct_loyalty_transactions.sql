{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='transaction_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['loyalty_transactions'], 'transaction_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    transaction_id,
    customer_id,
    occurred_at,
    occurred_on,
    points,
    reason,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_loyalty_transactions') }}
{{ only_changed('transaction_id') }}
