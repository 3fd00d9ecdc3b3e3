{#
    Incremental strategy: rows whose key is among the changed ones are deleted, the newly computed ones inserted.

    meta.replace_on     columns that identify what is replaced; by default unique_key.
    meta.replace_whole  column by which whole parts are replaced instead, when var `whole_cutoffs` says so.
    meta.marks          {change log: column}: whoever depends on this model through that column (the features of a
                        customer, the sales of a day) learns from the log what to rebuild: the old row's value and the
                        new one's. It is written here, in the transaction that forgets the old row, because nobody
                        could know it later.
#}
{% macro get_incremental_replace_changed_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- set marks = meta.get('marks') or {} -%}
    {%- set keys = meta.get('replace_on') or config.get('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    {%- set keys = [meta['replace_whole']] if meta.get('replace_whole') and var('whole_cutoffs') else keys -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set replaced = collect_replaced(target, keys, marks.values() | list) -%}
    {%- for log, column in marks.items() %}
    {{ mark_changed(ref(log), column, keys, changed(target), [arg_dict['temp_relation']] + replaced) }};
    {%- endfor %}
    {%- if replaced %}
    delete from {{ target }} as built
    using {{ replaced[0] }} as replaced
    where {{ same_keys('built', 'replaced', keys) }};
    {%- endif %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{#
    Put the rows that are to be deleted into a temporary table and return its name in a list, or an empty list when there
    are none: most changes only add rows, and looking for what to delete in a large table once is enough.
#}
{% macro collect_replaced(target, keys, columns) -%}
    {%- set replaced = target.identifier ~ '__replaced' -%}
    {%- set columns = (keys + columns) | unique | list -%}
    {%- do run_query(
        'create or replace temporary table ' ~ replaced ~ ' as (select distinct built.' ~ columns | join(', built.')
        ~ ' from ' ~ target ~ ' as built inner join ' ~ changed(target) ~ ' as changed on '
        ~ same_keys('built', 'changed', keys) ~ ')'
    ) -%}
    {%- set found = run_query('select count(*) from ' ~ replaced).columns[0].values()[0] -%}
    {{ return([replaced] if found else []) }}
{%- endmacro %}

{% macro mark_changed(log, column, keys, changed, relations) -%}
    insert into {{ log }} ({{ column }}, _batch)
    select
        {{ column }},
        max(_batch) as _batch
    from (
        {%- for relation in relations %}
        select
            touched.{{ column }},
            changed._batch
        from {{ relation }} as touched
        inner join {{ changed }} as changed on {{ same_keys('touched', 'changed', keys) }}
        where touched.{{ column }} is not null
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    ) as touched
    group by {{ column }}
{%- endmacro %}

{% macro same_keys(left, right, keys) -%}
    {%- for key in keys -%}
        {{ left }}.{{ key }} = {{ right }}.{{ key }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
