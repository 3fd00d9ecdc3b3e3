{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='payment_id',
        meta={'marks': {'int_order_changes': 'order_id'}},
        pre_hook="{{ collect_changed_keys(this, ['payments'], 'payment_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_order_changes') }}

select
    payment_id,
    order_id,
    method,
    amount,
    instalments,
    paid_at,
    paid_on,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_payments') }}
{{ only_changed('payment_id') }}
