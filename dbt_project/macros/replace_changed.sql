{#
    Incremental strategy: rows whose key is among the changed ones are deleted, the newly computed ones inserted.

    meta.replace_on   columns that identify what is replaced; by default unique_key.
    meta.marks        {change log: column}: whoever depends on this model through that column (the features of a customer,
                      the sales of a day) learns from the log what to rebuild: the old row's value and the new one's. It is
                      written here, in the transaction that forgets the old row, because nobody could know it later.
#}
{% macro get_incremental_replace_changed_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- set keys = meta.get('replace_on') or config.get('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- for log, column in (meta.get('marks') or {}).items() %}
    {{ mark_changed(ref(log), column, [target, arg_dict['temp_relation']], changed(target), keys) }};
    {%- endfor %}
    delete from {{ target }} as built
    using {{ changed(target) }} as changed
    where {{ same_keys('built', 'changed', keys) }};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{% macro mark_changed(log, column, relations, changed, keys) -%}
    insert into {{ log }} ({{ column }}, _batch)
    select
        {{ column }},
        max(_batch) as _batch
    from (
        {%- for relation in relations %}
        select
            built.{{ column }},
            changed._batch
        from {{ relation }} as built
        inner join {{ changed }} as changed on {{ same_keys('built', 'changed', keys) }}
        where built.{{ column }} is not null
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
