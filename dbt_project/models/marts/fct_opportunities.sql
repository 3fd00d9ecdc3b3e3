with opportunities as (

    select
        *,
        coalesce(is_won, false) or coalesce(stage = 'won', false) as is_deal_won
    from {{ ref('stg_opportunities') }}

),

stages as (

    select
        opportunity_id,
        min(entered_at) as first_stage_at,
        max(entered_at) as last_stage_at
    from {{ ref('stg_opportunity_stages') }}
    group by opportunity_id

),

judged as (

    select
        opportunities.*,
        not opportunities.is_deal_won and coalesce(opportunities.stage = 'lost', false) as is_lost,
        stages.last_stage_at,
        coalesce(opportunities.created_on, {{ utc_date('stages.first_stage_at') }}) as opened_on
    from opportunities
    left join stages on opportunities.opportunity_id = stages.opportunity_id

),

dated as (

    select
        *,
        not is_deal_won and not is_lost as is_open,
        case
            when is_deal_won or is_lost then closed_on
            when opened_on <= {{ as_of() }} then {{ as_of() }}
        end as counted_until_on
    from judged

)

select
    opportunity_id,
    customer_id,
    lead_id,
    name,
    product_id,
    stage,
    amount,
    currency,
    created_at,
    created_on,
    expected_close_on,
    closed_at,
    closed_on,
    last_stage_at,
    is_open,
    is_deal_won as is_won,
    is_lost,
    lost_reason,
    owner_rep_id,
    cast({{ days_between('opened_on', 'counted_until_on') }} as bigint) as days_open,
    _batch
from dated
