{{ config(materialized='ephemeral') }}
{#- What ftr_customers computes in this run; on an incremental run its pre-hook has already listed the rows. -#}

{% if not every_customer_is_wanted() -%}
select
    as_of,
    customer_id
from {{ changed(source('built', 'ftr_customers')) }}
{%- else -%}
{{ wanted_features() }}
{%- endif %}
