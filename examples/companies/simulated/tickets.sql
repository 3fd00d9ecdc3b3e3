-- A ticket may have lost its text; its date must be readable.
select
    ticket_id,
    customer_id,
    month_first(opened_at) as opened_at,
    first_response_at,
    closed_at,
    channel,
    subject,
    body,
    status,
    priority,
    category,
    assignee_rep_id,
    changed_at as updated_at,
    _source_file,
    _row
from tickets
