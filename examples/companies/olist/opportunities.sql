-- One row per closed deal. The file has only deals that were won, and no deal values.
select
    'deal-' || d.mql_id as opportunity_id,
    d.mql_id as lead_id,
    'Seller ' || d.seller_id as name,
    'won' as stage,
    'BRL' as currency,
    l.first_contact_date as created_at,
    d.won_date as closed_at,
    true as is_won,
    d.sr_id as owner_rep_id,
    d._source_file,
    d._row
from closed_deals d
left join (select mql_id, min(first_contact_date) as first_contact_date from qualified_leads group by 1) l
    on l.mql_id = d.mql_id
