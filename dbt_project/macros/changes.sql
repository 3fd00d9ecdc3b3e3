{#
    How incremental models here work. Raw says what changed: rows (tombstones included) whose _batch is above the highest
    one in the model. A pre-hook collects their keys in the temporary table `changed(this)`; the model's SELECT computes
    exactly the rows of these keys; the strategy `replace_changed` deletes the old rows and inserts the new ones. A deleted
    row is thus among the keys and not in the SELECT.

    An ingest may commit while models run. So no row claims a newer batch than the newest one at the start of the run
    (`seen`): whatever slipped in is looked at again by the next run.
#}

{# Name of the temporary table with the keys that this run rebuilds. #}
{% macro changed(relation) -%}
    {{ relation.identifier }}__changed
{%- endmacro %}

{% macro seen(batch) -%}
    least({{ batch }}, {{ var('newest_batch') }})
{%- endmacro %}

{# The newest batch that `relation` holds, as a literal: files of older batches are then never opened. #}
{% macro high_water(relation) -%}
    {%- if execute -%}
        {{- run_query('select coalesce(max(_batch), 0) from ' ~ relation).columns[0].values()[0] -}}
    {%- else -%}
        0
    {%- endif -%}
{%- endmacro %}

{# Whether a run may add to what `relation` already holds: it exists, and this is no full refresh. #}
{% macro is_built(relation) -%}
    {{ return(execute and not flags.FULL_REFRESH and load_relation(relation) is not none) }}
{%- endmacro %}

{% macro collect_changed(relation, query) -%}
    {%- if is_incremental() -%}
        create or replace temporary table {{ changed(relation) }} as (
            {{ query }}
        )
    {%- endif -%}
{%- endmacro %}

{# Keys of the raw rows that arrived after `batch`, each with its newest batch; `key` is one column. #}
{% macro keys_since(tables, key, batch) -%}
    {%- set arrived -%}
        {%- for table in tables %}
        select {{ key }}, _batch from {{ source('raw', table) }} where _batch > {{ batch }}
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {{ newest_per_key(key, arrived) }}
{%- endmacro %}

{% macro newest_per_key(key, query) -%}
    select
        {{ key }},
        max(_batch) as _batch
    from (
        {{ query }}
    ) as touched
    group by {{ key }}
{%- endmacro %}

{# Orders that changed themselves or in one of their lines; with `and_marked` also those whose payments changed. #}
{% macro changed_orders(batch, and_marked=false) -%}
    {{ keys_since(['orders', 'order_items'], 'order_id', batch) }}
    {%- if and_marked %}
    union all
    {{ logged_since('int_order_changes', 'order_id', batch) }}
    {%- endif %}
{%- endmacro %}

{% macro collect_changed_orders(relation, and_marked=false) -%}
    {%- if is_incremental() -%}
    {{ collect_changed(relation, newest_per_key('order_id', changed_orders(high_water(relation), and_marked))) }}
    {%- endif -%}
{%- endmacro %}

{% macro collect_changed_keys(relation, tables, key) -%}
    {{ collect_changed(relation, keys_since(tables, key, high_water(relation))) if is_incremental() }}
{%- endmacro %}

{# A WHERE clause that keeps what this run rebuilds (everything, when it is not an incremental run). #}
{% macro only_changed(key) -%}
    {% if is_incremental() -%}
    where {{ key }} in (select {{ key }} from {{ changed(this) }})
    {%- endif %}
{%- endmacro %}

{# Keys that a change log has marked after `batch`. #}
{% macro logged_since(log, key, batch) -%}
    {{ newest_per_key(key, 'select ' ~ key ~ ', _batch from ' ~ ref(log) ~ ' where _batch > ' ~ batch) }}
{%- endmacro %}
