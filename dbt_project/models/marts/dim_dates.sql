{#- A stray date (year 1900, year 9999) must not make a calendar of millions of days: fifty years back, five ahead. -#}
{%- set years_back = 50 -%}
{%- set years_ahead = 5 -%}

with spans as (

    {% for fact, column in [('fct_orders', 'ordered_on'), ('fct_interactions', 'occurred_on'), ('fct_tickets', 'opened_on'),
                            ('fct_leads', 'created_on'), ('fct_opportunities', 'created_on'),
                            ('fct_opportunities', 'closed_on'), ('fct_opportunities', 'expected_close_on')] %}
    select
        min({{ column }}) as first_on,
        max({{ column }}) as last_on
    from {{ ref(fact) }}
    union all
    {% endfor %}
    select
        {{ as_of() }} as first_on,
        {{ as_of() }} as last_on

),

span as (

    select
        greatest(min(first_on), {{ dbt.dateadd('year', -years_back, as_of()) }}) as first_on,
        least(max(last_on), {{ dbt.dateadd('year', years_ahead, as_of()) }}) as last_on
    from spans

),

bounds as (

    select
        cast({{ dbt.date_trunc('year', 'first_on') }} as date) as first_on,
        cast({{ dbt.last_day(dbt.dateadd('month', 11, dbt.date_trunc('year', 'last_on')), 'month') }} as date) as last_on
    from span

),

numbers as (

    {{ dbt.generate_series(366 * (years_back + years_ahead + 1)) }}

),

days as (

    select cast({{ dbt.dateadd('day', 'numbers.generated_number - 1', 'bounds.first_on') }} as date) as date_on
    from numbers
    cross join bounds
    where {{ dbt.dateadd('day', 'numbers.generated_number - 1', 'bounds.first_on') }} <= bounds.last_on

)

select
    date_on,
    cast(extract(year from date_on) as integer) as year,
    cast(extract(quarter from date_on) as integer) as quarter,
    cast(extract(month from date_on) as integer) as month,
    cast({{ dbt.date_trunc('month', 'date_on') }} as date) as month_starts_on,
    cast(extract(isoyear from date_on) as integer) as iso_year,
    cast(extract(week from date_on) as integer) as iso_week,
    cast({{ dbt.date_trunc('week', 'date_on') }} as date) as week_starts_on,
    cast(extract(isodow from date_on) as integer) as weekday,
    extract(isodow from date_on) >= 6 as is_weekend
from days
