"""How many days each model looks ahead."""

from __future__ import annotations

from datetime import date

from crm_agents import lake
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_catalog import ModelSpec

MONTH_DAYS = 30


def horizon_days(spec: ModelSpec, company: Company, as_of: date) -> int:
    """Return the length of the label window of `spec`, in days.

    Raises
    ------
    CrmAgentsError
        When it has to be proposed from the purchases and the marts have not been built.
    """
    if spec.horizon == "prediction":
        return company.prediction.horizon_days
    if spec.horizon == "month":
        return MONTH_DAYS
    return company.churn.window_days or proposed_window(as_of)


def proposed_window(as_of: date) -> int:
    """Return the churn window that the company's own rhythm up to `as_of` suggests (see ``models_ml.churn.window``).

    Raises
    ------
    CrmAgentsError
        When the marts have not been built.
    """
    import duckdb

    from models_ml.churn.config import GAP_QUANTILE
    from models_ml.churn.window import propose

    with lake.connect() as connection:
        try:
            row = connection.execute(
                """
                select quantile_cont(gap, $quantile) from (
                    select ordered_on - lag(ordered_on) over (partition by customer_id order by ordered_on) as gap
                    from (
                        select distinct customer_id, ordered_on from marts.fct_orders
                        where is_purchase and customer_id is not null and ordered_on <= $as_of
                    )
                )
                """,
                {"quantile": GAP_QUANTILE, "as_of": as_of},
            ).fetchone()
        except duckdb.CatalogException as error:
            raise CrmAgentsError(
                "The lake has no marts.fct_orders yet, from which a churn window could be proposed.",
                f"Build it first: `crm-agents run build_marts --as-of {as_of}`; or set churn.window_days in company.yml.",
            ) from error
    return propose(row[0] if row else None)
