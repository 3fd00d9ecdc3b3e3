"""What every agent of customers asks first: who is there on a day, who of them has ever bought, and what they bought since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from crm_agents import decisions, lake
from crm_agents.agents.frame import Evaluated
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    import duckdb

FEATURES = "features.ftr_customers"
NO_PURCHASE_YET = "No purchase yet: there is nothing to judge the next one by."


@dataclass(frozen=True)
class Population:
    """Customers with features on a day, and how many of them have bought at least once."""

    everybody: int
    buyers: int


def at(as_of: date) -> Population:
    """Count the customers that have features as of a day.

    Raises
    ------
    CrmAgentsError
        When there are none.
    """
    schema, table = FEATURES.split(".")
    with lake.connect() as connection:
        is_built = connection.execute(
            "select 1 from duckdb_tables() where schema_name = ? and table_name = ?", [schema, table]
        ).fetchone()
        row = (
            is_built
            and connection.execute(
                f"select count(*), count(*) filter (has_purchased) from {FEATURES} where as_of = ?", [as_of]
            ).fetchone()
        )
    everybody, buyers = row or (0, 0)
    if not everybody:
        raise CrmAgentsError(
            f"There are no customer features as of {as_of}.",
            f"Build them first: `crm-agents run build_marts --as-of {as_of}`.",
        )
    return Population(everybody, buyers)


def join_outcomes(connection: duckdb.DuckDBPyConnection, agent: str, as_of: date) -> Evaluated:
    """Write what the customers of `agent`'s decisions bought, where the outcome is due by `as_of`.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    """
    decisions.read_due(connection, agent, as_of)
    connection.execute(
        """
        create or replace temp table outcomes as
        select d.decision_id, d.chosen, max(d.outcome_due_at) as outcome_at,
            case
                when count(c.customer_id) = 0 then 'gone'
                when count(o.order_id) > 0 then 'purchased' else 'no_purchase'
            end as outcome,
            case when count(c.customer_id) > 0 then coalesce(sum(o.revenue_amount), 0)::double end as outcome_value
        from due d
        left join marts.dim_customers c on c.customer_id = d.entity_id
        left join marts.fct_orders o
            on o.customer_id = d.entity_id and o.is_purchase
            and o.ordered_on > d.as_of and o.ordered_on <= d.outcome_due_at
        group by d.decision_id, d.chosen
        """
    )
    by_choice = connection.execute(
        "select chosen, count(*), avg((outcome = 'purchased')::int), avg(outcome_value) from outcomes "
        "where outcome <> 'gone' group by 1"
    ).fetchall()
    joined = decisions.write_outcomes(connection, "outcomes")
    return Evaluated(
        joined,
        {
            chosen: {"decisions": count, "bought_share": bought, "mean_revenue": revenue}
            for chosen, count, bought, revenue in sorted(by_choice)
        },
    )
