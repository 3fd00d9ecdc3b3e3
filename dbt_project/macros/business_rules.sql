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

{#
    Point in time: whether an order counted as a purchase at the end of a day. An order has its status since its newest
    event (status_on); before that it was completed once it had been delivered, and placed until then. `is_purchase` says
    the same of today. Without status_on the CRM does not tell, and today's status holds.
#}
{% macro was_purchase(orders, day) -%}
    {%- set if_placed = 'placed' in var('purchase_statuses') -%}
    {%- set if_completed = 'completed' in var('purchase_statuses') -%}
    {%- set before = if_placed if if_placed == if_completed
        else 'case when ' ~ orders ~ '.delivered_on <= ' ~ day ~ ' then ' ~ if_completed ~ ' else ' ~ if_placed ~ ' end' -%}
    (
        {{ orders }}.is_sale
        and case when {{ orders }}.status_on > {{ day }} then {{ before }} else {{ orders }}.is_purchase end
    )
{%- endmacro %}

{# Point in time: whether an order was cancelled at the end of a day. #}
{% macro was_cancelled(orders, day) -%}
    ({{ orders }}.is_cancelled and coalesce({{ orders }}.status_on <= {{ day }}, true))
{%- endmacro %}
