{# The label windows that were closed on the run's day, one row each; an open one would call a later buyer a non-buyer. #}
{% macro closed_windows() -%}
    select
        as_of,
        horizon_days,
        closes_on
    from (
        {% for cutoff, horizon_days in var('label_windows') or [['0001-01-01', 0]] -%}
        select
            {{ day(cutoff) }} as as_of,
            {{ horizon_days }} as horizon_days,
            cast({{ dbt.dateadd('day', horizon_days, day(cutoff)) }} as date) as closes_on
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ) as windows
    where closes_on <= {{ as_of() }} and as_of > {{ day('0001-01-01') }}
{%- endmacro %}
