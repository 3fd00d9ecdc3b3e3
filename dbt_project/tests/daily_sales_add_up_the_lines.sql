-- Each day's sales are the sums over the lines of that day.
with daily as (

    select
        ordered_on,
        sum(quantity) as quantity,
        sum(gross_amount) as gross_amount,
        sum(revenue_amount) as revenue_amount
    from {{ ref('fct_sales_daily') }}
    group by ordered_on

),

lines as (

    select
        ordered_on,
        coalesce(sum(quantity), 0) as quantity,
        sum(gross_amount) as gross_amount,
        coalesce(sum(case when is_purchase_line and not is_duplicate then net_amount end), 0) as revenue_amount
    from {{ ref('fct_order_items') }}
    where ordered_on is not null
    group by ordered_on

)

select
    coalesce(daily.ordered_on, lines.ordered_on) as ordered_on,
    daily.gross_amount,
    lines.gross_amount as lines_gross_amount
from daily
full outer join lines on daily.ordered_on = lines.ordered_on
where
    daily.ordered_on is null
    or lines.ordered_on is null
    or daily.quantity <> lines.quantity
    or daily.gross_amount <> lines.gross_amount
    or daily.revenue_amount <> lines.revenue_amount
