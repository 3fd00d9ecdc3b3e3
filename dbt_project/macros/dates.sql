{# The day, in UTC, of a timestamp with time zone. #}
{% macro utc_date(timestamp) -%}
    {{ return(adapter.dispatch('utc_date', 'crm_agents')(timestamp)) }}
{%- endmacro %}

{% macro default__utc_date(timestamp) -%}
    cast({{ timestamp }} as date)
{%- endmacro %}

{# DuckDB's cast asks the time zone library for every row: six times slower than counting the days since 1970. #}
{% macro duckdb__utc_date(timestamp) -%}
    date '1970-01-01' + cast(floor(epoch({{ timestamp }}) / 86400) as integer)
{%- endmacro %}

{% macro day(iso_date) -%}
    cast('{{ iso_date }}' as date)
{%- endmacro %}

{# The day that the run takes as today; everything dated up to its end (UTC) is known. #}
{% macro as_of() -%}
    {{ day(var('as_of')) }}
{%- endmacro %}

{# Whole days from one date to a later one. #}
{% macro days_between(earlier, later) -%}
    {{ return(adapter.dispatch('days_between', 'crm_agents')(earlier, later)) }}
{%- endmacro %}

{% macro default__days_between(earlier, later) -%}
    {{ dbt.datediff(earlier, later, 'day') }}
{%- endmacro %}

{# dbt's macro goes through timestamps: three times slower. #}
{% macro duckdb__days_between(earlier, later) -%}
    ({{ later }} - {{ earlier }})
{%- endmacro %}
