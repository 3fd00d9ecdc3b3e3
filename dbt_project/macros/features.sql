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
    those of whom anything changed since. With var `whole_cutoffs` (many customers changed) every customer in any case.
#}
{% macro wanted_features(built=none) -%}
    {%- set changes = ref('int_customer_changes') -%}
    {%- set customers = ref('dim_customers') -%}
    with cutoffs as (

        {{ cutoffs() }}

    ){% if built and not var('whole_cutoffs') %},

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
    from {{ customers }} as customers
    cross join cutoffs
    {%- if built and not var('whole_cutoffs') %}
    where cutoffs.as_of not in (select built.as_of from built)
    {%- endif %}
{%- endmacro %}

{#
    FROM clause: the facts of the wanted customers up to as_of, as `facts`, with as_of beside them. When every customer is
    wanted there is nobody to be looked up.
#}
{% macro from_facts_until(fact, day_column) -%}
    {%- set rows = ref('int_feature_rows') -%}
    from {{ ref(fact) }} as facts
    {% if every_customer_is_wanted() -%}
    inner join ({{ cutoffs() }}) as wanted on facts.{{ day_column }} <= wanted.as_of
    where facts.customer_id is not null
    {%- else -%}
    inner join {{ rows }} as wanted
        on facts.customer_id = wanted.customer_id and facts.{{ day_column }} <= wanted.as_of
    {%- endif %}
{%- endmacro %}

{# AND clause: the wanted customers, for facts that are read before as_of comes into play; nothing when all are wanted. #}
{% macro and_is_wanted(column='customer_id') -%}
    {%- set rows = ref('int_feature_rows') -%}
    {% if not every_customer_is_wanted() -%}
    and {{ column }} in (select wanted.customer_id from {{ rows }} as wanted)
    {%- endif %}
{%- endmacro %}

{% macro every_customer_is_wanted() -%}
    {{ return(var('whole_cutoffs') or not is_built(source('built', 'ftr_customers'))) }}
{%- endmacro %}

{# What ftr_customers replaces: the wanted rows, or whole cut-offs (whose files are dropped without being read). #}
{% macro collect_changed_features(relation) -%}
    {%- set wanted = wanted_features(relation) -%}
    {%- if is_incremental() -%}
    {{ collect_changed(relation, cutoffs() if var('whole_cutoffs') else wanted) }}
    {%- endif -%}
{%- endmacro %}

{# Counts (or sums) over the days of a window that ends with as_of; later days are not in the input. #}
{% macro count_within(days, condition) -%}
    count(case when age_days < {{ days }} and {{ condition }} then 1 end)
{%- endmacro %}

{% macro sum_within(days, condition, amount) -%}
    sum(case when age_days < {{ days }} and {{ condition }} then {{ amount }} end)
{%- endmacro %}

{# What describes the gaps between a customer's purchase days. #}
{% macro gap_sums(days) -%}
    count({{ days }}) as gaps,
    sum({{ days }}) as gap_days_sum,
    sum({{ days }} * {{ days }}) as gap_days_square_sum
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
