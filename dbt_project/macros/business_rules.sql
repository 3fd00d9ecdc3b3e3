{# Which orders count as sold (company.yml: purchase_statuses); cancelled ones never do. #}
{% macro is_purchase_status(status) -%}
    coalesce({{ status }} in {{ literals(var('purchase_statuses')) }} and {{ status }} <> 'cancelled', false)
{%- endmacro %}

{# Whether a product id means goods, not postage, fees or corrections (company.yml: non_product_codes). #}
{% macro is_product(product_id) -%}
    {%- if var('non_product_codes') -%}
    coalesce({{ product_id }} not in {{ literals(var('non_product_codes')) }}, true)
    {%- else -%}
    true
    {%- endif -%}
{%- endmacro %}
