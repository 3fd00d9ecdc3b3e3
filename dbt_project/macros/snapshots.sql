{#
    A WHERE clause that leaves out the rows that the snapshot has seen. A row whose checked columns did not change adds no
    version, so it may be looked at again: never wrong, only not free.
#}
{% macro only_newer_than_snapshot() -%}
    {%- if execute and load_relation(this) -%}
    where _batch > {{ high_water(this) }}
    {%- endif -%}
{%- endmacro %}
