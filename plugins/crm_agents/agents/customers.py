"""What every agent of customers asks first: who is there on a day, and who of them has ever bought."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crm_agents import lake
from crm_agents.errors import CrmAgentsError

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
