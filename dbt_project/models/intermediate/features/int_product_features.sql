{{ config(materialized='ephemeral') }}
{#- The first purchase of a product does not depend on later ones: computed once, it holds for every cut-off. -#}

with first_purchases as (

    select
        customer_id,
        product_id,
        min(ordered_on) as first_on
    from {{ ref('fct_order_items') }}
    where
        is_purchase_line
        and is_product
        and not is_duplicate
        and product_id is not null
        and customer_id is not null
        {{ and_is_wanted() }}
    group by customer_id, product_id

)

select
    wanted.as_of,
    first_purchases.customer_id,
    count(*) as distinct_products
from first_purchases
inner join ({{ cutoffs() }}) as wanted on first_purchases.first_on <= wanted.as_of
group by wanted.as_of, first_purchases.customer_id
