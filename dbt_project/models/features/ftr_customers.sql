{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key=['as_of', 'customer_id'],
        partitioned_by='as_of',
        meta={'replace_whole': 'as_of'},
        pre_hook="{{ collect_changed_features(this) }}",
        tags=['scoring'],
    )
}}
-- depends_on: {{ ref('int_customer_changes') }}
{% set never = day('9999-12-31') %}
{% set parts = {
    'orders': 'int_order_features', 'gaps': 'int_gap_features', 'products': 'int_product_features',
    'interactions': 'int_interaction_features', 'service': 'int_service_features',
    'relationship': 'int_relationship_features',
} %}

with joined as (

    select
        wanted.customer_id,
        wanted.as_of,
        customers.kind,
        customers.country,
        customers.region,
        customers.industry,
        least(
            coalesce(customers.created_on, {{ never }}),
            coalesce(orders.first_order_on, {{ never }}),
            coalesce(interactions.first_interaction_on, {{ never }}),
            coalesce(service.first_service_on, {{ never }}),
            coalesce(relationship.first_relationship_on, {{ never }})
        ) as known_on,
        {{ days_between('orders.last_purchase_on', 'wanted.as_of') }} as recency_days,
        {{ days_between('orders.first_purchase_on', 'wanted.as_of') }} as tenure_days,
        coalesce(orders.purchases_total, 0) as purchases_total,
        {% for days in [30, 90, 180, 365] -%}
        coalesce(orders.purchases_{{ days }}d, 0) as purchases_{{ days }}d,
        {% endfor -%}
        cast(coalesce(orders.revenue_total, 0) as double) as revenue_total,
        {% for days in [30, 90, 180, 365] -%}
        coalesce(orders.revenue_{{ days }}d, 0) as revenue_{{ days }}d,
        {% endfor -%}
        cast(orders.gross_total as double) as gross_total,
        coalesce(orders.items_total, 0) as items_total,
        coalesce(products.distinct_products, 0) as distinct_products,
        gaps.gaps,
        cast(gaps.gap_days_sum as double) as gap_days_sum,
        cast(gaps.gap_days_square_sum as double) as gap_days_square_sum,
        coalesce(orders.active_months_365d, 0) as active_months_365d,
        coalesce(orders.cancellations_total, 0) as cancellations_total,
        cast(orders.orders_total as double) as orders_total,
        coalesce(orders.late_deliveries_180d, 0) as late_deliveries_180d,
        coalesce(interactions.web_visits_7d, 0) as web_visits_7d,
        coalesce(interactions.web_visits_30d, 0) as web_visits_30d,
        coalesce(interactions.emails_sent_90d, 0) as emails_sent_90d,
        coalesce(interactions.emails_opened_90d, 0) as emails_opened_90d,
        coalesce(interactions.emails_clicked_90d, 0) as emails_clicked_90d,
        coalesce(interactions.calls_90d, 0) as calls_90d,
        {{ days_between('interactions.last_interaction_on', 'wanted.as_of') }} as days_since_interaction,
        coalesce(service.tickets_open, 0) as tickets_open,
        coalesce(service.tickets_90d, 0) as tickets_90d,
        service.feedback_score_mean,
        coalesce(relationship.loyalty_points, 0) as loyalty_points,
        coalesce(relationship.campaigns_sent_90d, 0) as campaigns_sent_90d
    from {{ ref('int_feature_rows') }} as wanted
    inner join {{ ref('dim_customers') }} as customers on wanted.customer_id = customers.customer_id
    {% for alias, part in parts.items() -%}
    left join {{ ref(part) }} as {{ alias }}
        on wanted.customer_id = {{ alias }}.customer_id and wanted.as_of = {{ alias }}.as_of
    {% endfor %}

)

select
    customer_id,
    as_of,
    kind,
    country,
    region,
    industry,
    cast({{ days_between('known_on', 'as_of') }} as double) as account_age_days,
    purchases_total > 0 as has_purchased,
    cast(recency_days as double) as recency_days,
    cast(tenure_days as double) as tenure_days,
    {% for column in ['purchases_total', 'purchases_30d', 'purchases_90d', 'purchases_180d', 'purchases_365d',
                      'revenue_total', 'revenue_30d', 'revenue_90d', 'revenue_180d', 'revenue_365d'] -%}
    cast({{ column }} as double) as {{ column }},
    {% endfor -%}
    case when purchases_total > 0 then revenue_total / purchases_total end as average_order_value,
    cast(items_total as double) as items_total,
    cast(distinct_products as double) as distinct_products,
    case when gaps > 0 then gap_days_sum / gaps end as mean_gap_days,
    {{ sample_stddev('gaps', 'gap_days_sum', 'gap_days_square_sum') }} as gap_stddev_days,
    case when gaps > 0 then recency_days * gaps / gap_days_sum end as overdue_ratio,
    cast(active_months_365d as double) as active_months_365d,
    cast(cancellations_total as double) as cancellations_total,
    case when orders_total > 0 then cancellations_total / orders_total end as cancellation_share,
    case when gross_total > 0 then (gross_total - revenue_total) / gross_total end as discount_share,
    {% for column in ['late_deliveries_180d', 'web_visits_7d', 'web_visits_30d', 'emails_sent_90d', 'emails_opened_90d',
                      'emails_clicked_90d', 'calls_90d', 'days_since_interaction', 'tickets_open', 'tickets_90d',
                      'feedback_score_mean', 'loyalty_points', 'campaigns_sent_90d'] -%}
    cast({{ column }} as double) as {{ column }},
    {% endfor -%}
    cast({{ var('newest_batch') }} as bigint) as _batch
from joined
where known_on <= as_of
