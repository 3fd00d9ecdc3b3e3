{{ config(materialized='ephemeral') }}
{#- What ftr_customers computes in this run; on an incremental run its pre-hook has already listed the rows. -#}

{% if is_built(source('built', 'ftr_customers')) and not var('whole_cutoffs') -%}
select
    as_of,
    customer_id
from {{ changed(source('built', 'ftr_customers')) }}
{%- else -%}
{{ wanted_features() }}
{%- endif %}
