-- Quantities and amounts of the lines are those of the source, to the last digit.
with source as (

    select
        coalesce(sum(quantity), 0) as quantity,
        coalesce(sum(cast(coalesce(quantity * unit_price, 0) as decimal(38, 4))), 0) as gross_amount,
        coalesce(sum(discount), 0) as discount,
        coalesce(sum(freight), 0) as freight
    from {{ ref('stg_order_items') }}

),

mart as (

    select
        coalesce(sum(quantity), 0) as quantity,
        coalesce(sum(gross_amount), 0) as gross_amount,
        coalesce(sum(gross_amount - net_amount), 0) as discount,
        coalesce(sum(freight), 0) as freight
    from {{ ref('fct_order_items') }}

)

select
    source.gross_amount as source_gross_amount,
    mart.gross_amount as mart_gross_amount
from source
cross join mart
where
    source.quantity <> mart.quantity
    or source.gross_amount <> mart.gross_amount
    or source.discount <> mart.discount
    or source.freight <> mart.freight
