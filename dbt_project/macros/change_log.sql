{#
    A change log: rows of a key and the batch that changed something about it, written by the models of the facts
    (`replace_changed`, meta.marks), read by whoever rebuilds what hangs on that key. The log's own model only creates it,
    and shortens it to one row per key when it has become much longer than `keys`, the table of its keys. (A name, not a
    reference: whatever hangs on a log would hang on that table, and be built when it changes.)
#}
{% macro change_log(column, data_type, keys=none) -%}
    {% if log_is_long(keys) -%}
    select
        {{ column }},
        max(_batch) as _batch
    from {{ this }}
    group by {{ column }}
    {%- else -%}
    select
        cast(null as {{ data_type }}) as {{ column }},
        cast(null as bigint) as _batch
    where false
    {%- endif %}
{%- endmacro %}

{% macro log_is_long(keys) -%}
    {%- if not (execute and is_incremental()) -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set usual = '100000' ~ (' + 3 * (select count(*) from ' ~ this.database ~ '.' ~ keys ~ ')' if keys else '') -%}
    {{ return(run_query('select count(*) > ' ~ usual ~ ' from ' ~ this).columns[0].values()[0]) }}
{%- endmacro %}

{# Incremental strategy of a change log: adds nothing, or puts one row per key in place of many. #}
{% macro get_incremental_shorten_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set source = arg_dict['temp_relation'] -%}
    delete from {{ target }} where (select count(*) from {{ source }}) > 0;
    insert into {{ target }} by name select * from {{ source }}
{%- endmacro %}
