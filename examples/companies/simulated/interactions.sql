-- Visits, mails and calls, of customers and of leads.
select
    interaction_id,
    customer_id,
    lead_id,
    occurred_at,
    channel,
    direction,
    kind,
    product_id,
    campaign_id,
    duration_seconds,
    outcome,
    changed_at as updated_at,
    _source_file,
    _row
from interactions
