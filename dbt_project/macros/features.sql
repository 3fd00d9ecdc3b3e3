{# The given cut-offs, one row each. #}
{% macro cutoff_rows(cutoffs) -%}
    {%- for cutoff in cutoffs | map('string') | unique | sort %}
    select {{ day(cutoff) }} as as_of
    {{- ' union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The cut-offs of this run: var `cutoffs`, or as_of when there are none. #}
{% macro cutoffs() -%}
    {{ cutoff_rows(var('cutoffs') or [var('as_of')]) }}
{%- endmacro %}

{#
    The rows that a run computes: for a cut-off that `built` does not hold yet every customer, for one that it holds
    those of whom anything changed since.
#}
{% macro wanted_features(built=none) -%}
    {%- set changes = ref('int_customer_changes') -%}
    with cutoffs as (

        {{ cutoffs() }}

    ){% if built %},

    built as (

        select
            as_of,
            max(_batch) as _batch
        from {{ built }}
        where as_of in (select cutoffs.as_of from cutoffs)
        group by as_of

    )

    select distinct
        built.as_of,
        changes.customer_id
    from {{ changes }} as changes
    inner join built on changes._batch > built._batch
    union all
    {%- else %}
    {% endif %}
    select
        cutoffs.as_of,
        customers.customer_id
    from {{ ref('dim_customers') }} as customers
    cross join cutoffs
    {%- if built %}
    where cutoffs.as_of not in (select built.as_of from built)
    {%- endif %}
{%- endmacro %}

{#
    FROM clause: the facts of the wanted customers up to as_of, as `facts`, with as_of beside them. When many customers
    are wanted, the facts of all are read instead: cheaper than looking each one up, and the last join drops the others.
#}
{% macro from_facts_until(fact, day_column) -%}
    {%- set rows = ref('int_feature_rows') -%}
    from {{ ref(fact) }} as facts
    {% if many_customers_are_wanted() -%}
    inner join ({{ cutoffs() }}) as wanted on facts.{{ day_column }} <= wanted.as_of
    where facts.customer_id is not null
    {%- else -%}
    inner join {{ rows }} as wanted
        on facts.customer_id = wanted.customer_id and facts.{{ day_column }} <= wanted.as_of
    {%- endif %}
{%- endmacro %}

{% macro many_customers_are_wanted() -%}
    {%- set built = source('built', 'ftr_customers') -%}
    {%- set wanted = wanted_features(built) -%}
    {%- set customers = ref('dim_customers') -%}
    {%- if not is_built(built) -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set query -%}
        select
            (select count(*) from ({{ wanted }}) as wanted)
            > 0.3 * (select count(*) from {{ customers }}) * (select count(*) from ({{ cutoffs() }}) as cutoffs)
    {%- endset -%}
    {{ return(run_query(query).columns[0].values()[0]) }}
{%- endmacro %}

{# Counts (or sums) over the days of a window that ends with as_of; later days are not in the input. #}
{% macro count_within(days, condition) -%}
    count(case when age_days < {{ days }} and {{ condition }} then 1 end)
{%- endmacro %}

{% macro sum_within(days, condition, amount) -%}
    sum(case when age_days < {{ days }} and {{ condition }} then {{ amount }} end)
{%- endmacro %}

{#
    Sample standard deviation of whole numbers from their count, sum and sum of squares. The database's own function adds
    floating point numbers in any order: the last digits would differ from run to run.
#}
{% macro sample_stddev(count, sum, square_sum) -%}
    case
        when {{ count }} > 1
            then sqrt(greatest({{ square_sum }} - {{ sum }} * {{ sum }} / {{ count }}, 0) / ({{ count }} - 1))
    end
{%- endmacro %}
