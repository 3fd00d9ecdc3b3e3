"""A backfill over past days: the features of a day that nobody has built yet, as they were known on that day."""

from __future__ import annotations

from datetime import date

from crm_agents import lake, marts
from crm_agents.errors import CrmAgentsError

FEATURES = "ftr_customers"


def ensure_features(as_of: date, run_id: str) -> bool:
    """Build ``features.ftr_customers`` for `as_of` from the marts when it has no row of that day; tell whether it did.

    Only events up to the end of that day count, so it does not matter that the marts hold later ones.

    Raises
    ------
    CrmAgentsError
        When the marts have not been built, or nobody was known on that day.
    """
    if _count(as_of):
        return False
    marts.build(as_of=as_of, run_id=run_id, select=[FEATURES], cutoffs=[as_of])
    if not _count(as_of):
        raise CrmAgentsError(
            f"No customer was known on {as_of}: there is nothing to score.", "Backfill from a later day on."
        )
    return True


def _count(as_of: date) -> int:
    import duckdb

    with lake.connect() as connection:
        try:
            row = connection.execute(f"select count(*) from features.{FEATURES} where as_of = ?", [as_of]).fetchone()
        except duckdb.CatalogException as error:
            raise CrmAgentsError(
                "The lake has no customer features yet.", "Build them first: `crm-agents run build_marts`."
            ) from error
    return int(row[0]) if row else 0
