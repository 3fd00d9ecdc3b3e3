{{
    config(
        materialized='incremental',
        incremental_strategy='replace_changed',
        unique_key=['ordered_on', 'product_id'],
        meta={'replace_on': ['ordered_on']},
        pre_hook="{{ collect_changed(this, logged_since('int_day_changes', 'ordered_on', high_water(this))) if is_incremental() }}",
    )
}}
-- depends_on: {{ ref('int_day_changes') }}

with lines as (

    select * from {{ ref('fct_order_items') }}
    {{ only_changed('ordered_on') }}

),

product_days as (

    select
        ordered_on,
        product_id,
        count(distinct order_id) as orders,
        sum(quantity) as quantity,
        sum(gross_amount) as gross_amount,
        sum(case when is_purchase_line and not is_duplicate then net_amount else 0 end) as revenue_amount
    from lines
    where ordered_on is not null
    group by ordered_on, product_id

)

select
    ordered_on,
    product_id,
    orders,
    cast(coalesce(quantity, 0) as decimal(38, 4)) as quantity,
    cast(gross_amount as decimal(38, 4)) as gross_amount,
    cast(revenue_amount as decimal(38, 4)) as revenue_amount,
    cast({{ var('newest_batch') }} as bigint) as _batch
from product_days
