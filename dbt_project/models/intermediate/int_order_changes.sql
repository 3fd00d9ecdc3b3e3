{{
    config(
        materialized='incremental',
        incremental_strategy='shorten',
        tags=['scoring'],
    )
}}

{{ change_log('order_id', 'varchar', keys='raw.customers') }}
