-- One row per account, known by its name. Revenue is in millions. The year of foundation is no column of the CRM schema
-- and is kept beside it.
select
    account as customer_id,
    'organisation' as kind,
    account as name,
    account as company,
    case sector when 'technolgy' then 'technology' else sector end as industry,
    employees,
    coalesce((try_cast(revenue as decimal(18, 4)) * 1000000)::varchar, revenue) as annual_revenue,
    case office_location when 'Philipines' then 'Philippines' else office_location end as country,
    subsidiary_of as parent_customer_id,
    'maven_crm' as source_system,
    year_established,
    _source_file,
    _row
from accounts
