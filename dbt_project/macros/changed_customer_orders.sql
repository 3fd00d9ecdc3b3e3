{# For each customer of a changed order the first day, before or after the change, that it concerns. #}
{% macro collect_changed_purchase_days(relation) -%}
    {%- if is_incremental() -%}
    create or replace temporary table {{ changed(relation) }}_from as (

        with changed_orders as (

            {{ changed_orders(high_water(relation)) }}

        ),

        touched as (

            {% for orders in [ref('fct_orders'), relation] %}
            select
                orders.customer_id,
                orders.ordered_on,
                changed_orders._batch
            from {{ orders }} as orders
            inner join changed_orders on orders.order_id = changed_orders.order_id
            {{- ' union all' if not loop.last }}
            {%- endfor %}

        )

        select
            customer_id,
            min(ordered_on) as changed_from,
            max(_batch) as _batch
        from touched
        where customer_id is not null and ordered_on is not null
        group by customer_id

    )
    {%- endif -%}
{%- endmacro %}

{# Every order of those customers from that day on, as it was and as it is. #}
{% macro collect_changed_customer_orders(relation) -%}
    {%- if is_incremental() -%}
    create or replace temporary table {{ changed(relation) }} as (

        select
            order_id,
            max(_batch) as _batch
        from (
            {%- for orders in [ref('fct_orders'), relation] %}
            select
                orders.order_id,
                changed._batch
            from {{ orders }} as orders
            inner join {{ changed(relation) }}_from as changed
                on orders.customer_id = changed.customer_id and orders.ordered_on >= changed.changed_from
            {{- ' union all' if not loop.last }}
            {%- endfor %}
        ) as orders
        group by order_id

    )
    {%- endif -%}
{%- endmacro %}
