-- Between raw and marts no row is lost and none is doubled; only tombstones are left out.
{% set pairs = {
    'dim_customers': 'customers', 'dim_products': 'products', 'dim_reps': 'sales_reps', 'fct_orders': 'orders',
    'fct_order_items': 'order_items', 'fct_payments': 'payments', 'fct_interactions': 'interactions', 'fct_opportunities': 'opportunities',
    'fct_tickets': 'tickets', 'fct_leads': 'leads', 'fct_feedback': 'feedback',
    'fct_loyalty_transactions': 'loyalty_transactions', 'fct_campaign_members': 'campaign_members',
} %}

with counts as (

    {% for mart, table in pairs.items() %}
    select
        '{{ mart }}' as mart,
        (select count(*) from {{ source('raw', table) }} where not _deleted) as rows_in,
        (select count(*) from {{ ref(mart) }}) as rows_out
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from counts
where rows_in <> rows_out
