select
    customer_id,
    channel,
    purpose,
    granted,
    basis,
    captured_at,
    changed_at as updated_at,
    _source_file,
    _row
from consents
