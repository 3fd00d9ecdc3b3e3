{{
    config(
        materialized='incremental',
        incremental_strategy='shorten',
        tags=['scoring'],
    )
}}

{{ change_log('customer_id', 'varchar', keys='raw.customers') }}
