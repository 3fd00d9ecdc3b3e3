-- One row per marketing-qualified lead. What is only known once a deal was won stands under `deal` in the attributes and in
-- no column of its own: a model that read it would know the outcome.
select
    l.mql_id as lead_id,
    l.first_contact_date as created_at,
    l.origin as source,
    to_json({
        'landing_page_id': l.landing_page_id,
        'deal': case when d.mql_id is not null then {
            'seller_id': d.seller_id,
            'won_date': d.won_date,
            'business_segment': d.business_segment,
            'business_type': d.business_type,
            'lead_type': d.lead_type,
            'lead_behaviour_profile': d.lead_behaviour_profile,
            'has_company': d.has_company,
            'has_gtin': d.has_gtin,
            'average_stock': d.average_stock,
            'declared_product_catalog_size': d.declared_product_catalog_size,
            'declared_monthly_revenue': d.declared_monthly_revenue
        } end
    }) as attributes,
    case when d.mql_id is not null then 'converted' else 'contacted' end as status,
    d.won_date as converted_at,
    'deal-' || d.mql_id as opportunity_id,
    d.sdr_id as owner_rep_id,
    l._source_file,
    l._row
from qualified_leads l
left join closed_deals d on d.mql_id = l.mql_id
