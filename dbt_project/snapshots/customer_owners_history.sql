{% snapshot customer_owners_history %}
{{
    config(
        schema='marts',
        unique_key='customer_id',
        strategy='check',
        check_cols=['owner_rep_id', 'parent_customer_id'],
        updated_at='updated_at',
    )
}}

select
    customer_id,
    owner_rep_id,
    parent_customer_id,
    updated_at,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_customers') }}
{{ only_newer_than_snapshot() }}

{% endsnapshot %}
