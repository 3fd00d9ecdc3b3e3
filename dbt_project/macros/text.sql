{# An array of text as one text, comma separated: arrays are not portable. #}
{% macro joined_text(column) -%}
    {{ return(adapter.dispatch('joined_text', 'crm_agents')(column)) }}
{%- endmacro %}

{% macro default__joined_text(column) -%}
    array_to_string({{ column }}, ', ')
{%- endmacro %}

{# A list of literals for IN; a list without elements matches nothing. #}
{% macro literals(values) -%}
    (
    {%- for value in values -%}
        '{{ value | string | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- else -%}
        null
    {%- endfor -%}
    )
{%- endmacro %}
