{#
    For each customer of a changed order the first day, before or after the change, that it concerns. When an ingest
    committed while the last build ran (`is_torn`), some orders and lines may have been read before it and others after:
    then the customer's whole history is concerned.
#}
{% macro collect_changed_purchase_days(relation) -%}
    {%- if is_incremental() -%}
    {%- set batch = high_water(relation) -%}
    create or replace temporary table {{ changed(relation) }}_from as (

        with touched as (

            select
                customer_id,
                ordered_on,
                _batch
            from {{ ref('fct_orders') }}
            where _batch > {{ batch }}
            union all
            select
                before.customer_id,
                before.ordered_on,
                changed_orders._batch
            from {{ relation }} as before
            inner join ({{ changed_orders(batch) }}) as changed_orders on before.order_id = changed_orders.order_id

        )

        select
            customer_id,
            {{ day('0001-01-01') if var('is_torn') else 'min(ordered_on)' }} as changed_from,
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
    {%- set orders_since -%}
        {%- for orders in [ref('fct_orders'), relation] %}
        select
            orders.order_id,
            changed._batch
        from {{ orders }} as orders
        inner join {{ changed(relation) }}_from as changed
            on orders.customer_id = changed.customer_id and orders.ordered_on >= changed.changed_from
        {{- ' union all' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {{ collect_changed(relation, newest_per_key('order_id', orders_since)) }}
    {%- endif -%}
{%- endmacro %}
