{# The label windows that were closed on the run's day, one row each; an open one would call a later buyer a non-buyer. #}
{% macro closed_windows() -%}
    select
        as_of,
        {{ var('horizon_days') }} as horizon_days,
        cast({{ dbt.dateadd('day', var('horizon_days'), 'as_of') }} as date) as closes_on
    from (
        {{ cutoff_rows(var('label_cutoffs') or ['0001-01-01']) }}
    ) as cutoffs
    where {{ dbt.dateadd('day', var('horizon_days'), 'as_of') }} <= {{ as_of() }} and as_of > {{ day('0001-01-01') }}
{%- endmacro %}
