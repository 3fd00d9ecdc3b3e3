-- One row per review of an order: a review_id alone is not unique, some reviews cover several orders.
select
    r.review_id || '-' || r.order_id as feedback_id,
    o.customer_id,
    r.order_id,
    r.review_answer_timestamp as given_at,
    'review' as kind,
    r.review_score as score,
    nullif(concat_ws(chr(10), r.review_comment_title, r.review_comment_message), '') as text,
    r._source_file,
    r._row
from reviews r
left join (
    select orders.order_id, any_value(coalesce(customers.customer_unique_id, orders.customer_id)) as customer_id
    from orders
    left join customers on customers.customer_id = orders.customer_id
    group by 1
) o
    on o.order_id = r.order_id
