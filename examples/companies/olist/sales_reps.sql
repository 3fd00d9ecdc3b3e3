-- One row per person who took part in a deal: as sales development representative (sdr), as sales representative (sr).
with roles as (
    select sdr_id as rep_id, 'sdr' as skill, won_date, _source_file, _row from closed_deals where sdr_id is not null
    union all
    select sr_id, 'sr', won_date, _source_file, _row from closed_deals where sr_id is not null
)
select
    rep_id,
    list_sort(list_distinct(list(skill))) as skills,
    true as active,
    max(won_date) as updated_at,
    any_value(_source_file) as _source_file,
    list_distinct(list(_row)) as _row
from roles
group by rep_id
