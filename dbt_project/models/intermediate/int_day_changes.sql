{{
    config(
        materialized='incremental',
        incremental_strategy='shorten',
        tags=['scoring'],
    )
}}

{{ change_log('ordered_on', 'date') }}
