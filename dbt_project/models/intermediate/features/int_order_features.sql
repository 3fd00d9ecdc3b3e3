{{ config(materialized='ephemeral') }}

with orders as (

    select
        wanted.as_of,
        facts.customer_id,
        facts.ordered_on,
        {{ was_purchase('facts', 'wanted.as_of') }} as is_purchase,
        {{ was_cancelled('facts', 'wanted.as_of') }} as is_cancelled,
        facts.sale_net_amount,
        facts.sale_gross_amount,
        facts.sale_quantity,
        {{ days_between('facts.ordered_on', 'wanted.as_of') }} as age_days,
        case when facts.is_late then {{ days_between('facts.delivered_on', 'wanted.as_of') }} end as late_days
    {{ from_facts_until('fct_orders', 'ordered_on') }}

)

select
    as_of,
    customer_id,
    min(ordered_on) as first_order_on,
    min(case when is_purchase then ordered_on end) as first_purchase_on,
    max(case when is_purchase then ordered_on end) as last_purchase_on,
    count(*) as orders_total,
    count(case when is_purchase then 1 end) as purchases_total,
    sum(case when is_purchase then sale_net_amount end) as revenue_total,
    {% for days in [30, 90, 180, 365] -%}
    {{ count_within(days, 'is_purchase') }} as purchases_{{ days }}d,
    {{ sum_within(days, 'is_purchase', 'sale_net_amount') }} as revenue_{{ days }}d,
    {% endfor -%}
    sum(case when is_purchase then sale_gross_amount end) as gross_total,
    sum(case when is_purchase then sale_quantity end) as items_total,
    count(distinct case when age_days < 365 and is_purchase then {{ dbt.date_trunc('month', 'ordered_on') }} end)
        as active_months_365d,
    count(case when is_cancelled then 1 end) as cancellations_total,
    count(case when late_days between 0 and 179 then 1 end) as late_deliveries_180d
from orders
group by as_of, customer_id
