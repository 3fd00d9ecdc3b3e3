-- One row per opportunity. The pipeline writes "GTXPro" for the product "GTX Pro". Only a won deal has its closing value as
-- amount: an open one has the list price of its product, and a lost one what was lost (the file says 0).
with deals as (
    select *, case product when 'GTXPro' then 'GTX Pro' else product end as product_id from pipeline
)
select
    d.opportunity_id,
    d.account as customer_id,
    concat_ws(' for ', d.product_id, d.account) as name,
    d.product_id,
    lower(d.deal_stage) as stage,
    case when d.deal_stage = 'Won' then d.close_value else p.sales_price end as amount,
    'USD' as currency,
    d.engage_date as created_at,
    d.close_date as closed_at,
    case d.deal_stage when 'Won' then true when 'Lost' then false end as is_won,
    d.sales_agent as owner_rep_id,
    d._source_file,
    d._row
from deals d
left join (select product, any_value(sales_price) as sales_price from products group by 1) p on p.product = d.product_id
