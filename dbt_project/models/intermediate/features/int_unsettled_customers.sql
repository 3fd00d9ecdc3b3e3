{{ config(materialized='ephemeral') }}
{#-
    What does not depend on the cut-off is computed once for all of them, from today's purchases. That is wrong only where an
    order counted otherwise at the cut-off than it does today: these few are computed for each cut-off by itself.
-#}

select distinct
    wanted.as_of,
    facts.customer_id
{{ from_facts_until('fct_orders', 'ordered_on') }}
    and facts.status_on > wanted.as_of
    and facts.is_purchase <> {{ was_purchase('facts', 'wanted.as_of') }}
