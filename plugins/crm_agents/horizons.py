"""How many days each model looks ahead."""

from __future__ import annotations

from datetime import date
from typing import Any

from crm_agents import lake
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_catalog import ModelSpec

MONTH_DAYS = 30
# Of a customer's value: a year, or as long as the history can teach and judge, in steps of a month.
YEAR_DAYS, SHORTEST_YEAR_DAYS = 365, 90
PURCHASE_DAYS = (
    "select distinct customer_id, ordered_on from marts.fct_orders "
    "where is_purchase and customer_id is not null and ordered_on <= $as_of"
)


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
    if spec.horizon == "value":
        return company.value.horizon_days or proposed_year(as_of)
    return company.churn.window_days or proposed_window(as_of)


def proposed_window(as_of: date) -> int:
    """Return the churn window that the company's own rhythm up to `as_of` suggests (see ``models_ml.churn.window``).

    Raises
    ------
    CrmAgentsError
        When the marts have not been built.
    """
    from models_ml.churn.config import GAP_QUANTILE
    from models_ml.churn.window import propose

    return propose(
        _measured(
            "select quantile_cont(gap, $quantile) from (select ordered_on - lag(ordered_on) over "
            f"(partition by customer_id order by ordered_on) as gap from ({PURCHASE_DAYS}))",
            {"quantile": GAP_QUANTILE, "as_of": as_of},
            "churn.window_days",
        )
    )


def proposed_year(as_of: date) -> int:
    """Return a year, or with less than two years of purchases up to `as_of` half of them in whole months, at least three.

    Raises
    ------
    CrmAgentsError
        When the marts have not been built.
    """
    history = _measured(
        f"select $as_of::date - min(ordered_on) from ({PURCHASE_DAYS})", {"as_of": as_of}, "value.horizon_days"
    )
    if history is not None and history >= 2 * YEAR_DAYS:
        return YEAR_DAYS
    return max((history or 0) // 2 // MONTH_DAYS * MONTH_DAYS, SHORTEST_YEAR_DAYS)


def _measured(query: str, parameters: dict[str, Any], setting: str) -> Any:
    """Return the number that `query` finds in the marts, None when there is no purchase."""
    import duckdb

    with lake.connect() as connection:
        try:
            row = connection.execute(query, parameters).fetchone()
        except duckdb.CatalogException as error:
            raise CrmAgentsError(
                f"The lake has no marts.fct_orders yet, from which {setting} could be proposed.",
                f"Build it first: `crm-agents run build_marts --as-of {parameters['as_of']}`; or set {setting} in company.yml.",
            ) from error
    return row[0] if row else None
