{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='feedback_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['feedback'], 'feedback_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    feedback_id,
    customer_id,
    order_id,
    ticket_id,
    given_at,
    given_on,
    kind,
    score,
    cast(case when kind = 'nps' then score * 0.5 else score end as decimal(18, 4)) as score_of_five,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_feedback') }}
{{ only_changed('feedback_id') }}
