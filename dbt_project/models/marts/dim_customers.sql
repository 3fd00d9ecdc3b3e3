{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key='customer_id',
        meta={'marks': {'int_customer_changes': 'customer_id'}},
        pre_hook="{{ collect_changed_keys(this, ['customers'], 'customer_id') }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}

select
    customer_id,
    kind,
    name,
    company,
    industry,
    employees,
    annual_revenue,
    city,
    region,
    country,
    postal_code,
    created_at,
    created_on,
    owner_rep_id,
    parent_customer_id,
    source_system,
    email is not null as has_email,
    phone is not null as has_phone,
    {{ seen('_batch') }} as _batch
from {{ ref('stg_customers') }}
{{ only_changed('customer_id') }}
