{% snapshot opportunities_history %}
{{
    config(
        schema='marts',
        unique_key='opportunity_id',
        strategy='check',
        check_cols=['stage', 'amount', 'expected_close_on', 'owner_rep_id'],
        updated_at='updated_at',
    )
}}

select
    opportunity_id,
    customer_id,
    stage,
    amount,
    currency,
    expected_close_on,
    owner_rep_id,
    updated_at,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_opportunities') }}
{{ only_newer_than_snapshot() }}

{% endsnapshot %}
