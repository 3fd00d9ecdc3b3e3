-- One row per person. The files give a new customer_id to every order; customer_unique_id is the person. Where the
-- customers file is absent, each order's customer_id stands for its person.
with persons as (
    select
        c.customer_unique_id as person_id,
        c.customer_city as city,
        c.customer_state as state,
        lpad(c.customer_zip_code_prefix, 5, '0') as zip,
        o.order_purchase_timestamp as seen_at,
        c._source_file,
        c._row
    from customers c
    left join orders o on o.customer_id = c.customer_id
    union all
    select customer_id, null, null, null, order_purchase_timestamp, _source_file, _row
    from orders
    where (select count(*) from customers) = 0
)
select
    person_id as customer_id,
    'person' as kind,
    arg_max(city, (coalesce(seen_at, ''), _row)) as city,
    arg_max(state, (coalesce(seen_at, ''), _row)) as region,
    'BR' as country,
    arg_max(zip, (coalesce(seen_at, ''), _row)) as postal_code,
    min(seen_at) as created_at,
    'olist' as source_system,
    max(seen_at) as updated_at,
    any_value(_source_file) as _source_file,
    list(_row) as _row
from persons
group by person_id
