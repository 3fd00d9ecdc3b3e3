"""What was bought, as the models read it that learn from purchases themselves instead of features at cut-offs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from crm_agents import horizons, lake
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.marts import TrainingCutoffs
from crm_agents.usability import Finding, TrainingStatistics

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from crm_agents.model_catalog import ModelSpec

# Each: customer_id, bought_on, and what the model needs to know of it.
LOGS = {
    "orders": "select customer_id, ordered_on as bought_on, sum(revenue_amount)::double as amount "
    "from marts.fct_orders {at} where is_purchase and ordered_on <= date '{until}' and {only} group by 1, 2",
    "lines": "select distinct customer_id, product_id, ordered_on as bought_on from marts.fct_order_items {at} "
    "where is_purchase_line and is_product and not is_duplicate and customer_id is not null and product_id is not null "
    "and ordered_on <= date '{until}' and {only}",
}
COLUMNS = {"orders": ("customer_id", "bought_on", "amount"), "lines": ("customer_id", "product_id", "bought_on")}
LEAKAGE = "leakage"


def query(log: str, until: date, snapshot: int | None = None, only: str | None = None) -> str:
    """Return the SELECT of one of `LOGS` up to and with day `until`, from a snapshot of the lake or its newest one.

    Parameters
    ----------
    only : str, optional
        SELECT of customer_id: whose purchases.
    """
    at = "" if snapshot is None else f"at (version => {snapshot:d})"
    those = "true" if only is None else f"customer_id in ({only})"
    return LOGS[log].format(until=until, at=at, only=those)


def read(connection: duckdb.DuckDBPyConnection, log: str, until: date, snapshot: int | None = None) -> pd.DataFrame:
    """Return the rows of `query`, in an order that is always the same.

    Raises
    ------
    CrmAgentsError
        When the marts have not been built.
    """
    import duckdb

    try:
        return connection.execute(f"from ({query(log, until, snapshot)}) order by all").df()
    except duckdb.CatalogException as error:
        raise CrmAgentsError(
            f"The lake has no purchases yet: {str(error).splitlines()[0]}",
            f"Build the marts first: `crm-agents run build_marts --as-of {until}`.",
        ) from error


def training_rows(
    spec: ModelSpec, company: Company, as_of: date
) -> tuple[pd.DataFrame, pd.DataFrame, TrainingCutoffs, int, TrainingStatistics]:
    """Return what a model of purchases learns from and is judged on.

    Returns
    -------
    training : DataFrame
        The purchases up to the cut-off, one horizon before `as_of`.
    holdout : DataFrame
        All purchases up to `as_of`, with `is_known`: those that the model may look at when it is judged on the others.
    cutoffs : TrainingCutoffs
        The cut-off.
    snapshot : int
        Of the lake.
    statistics : TrainingStatistics
        Of the customers known at the cut-off, positive who bought in the horizon after it; the training rows' own counts are
        those of one horizon earlier.
    """
    horizon_days = horizons.horizon_days(spec, company, as_of)
    cutoff = as_of - timedelta(days=horizon_days)
    with lake.connect() as connection:
        snapshot = lake.current_snapshot(connection)
        rows = read(connection, spec.learns_from, as_of, snapshot)
        connection.register("purchases", rows)
        before = _came_back(connection, cutoff - timedelta(days=horizon_days), horizon_days)
        after = _came_back(connection, cutoff, horizon_days)
        everybody: Any = connection.execute(
            "select count(distinct customer_id), min(bought_on) from purchases"
        ).fetchone()
    rows["is_known"] = rows["bought_on"].dt.date <= cutoff
    training = rows.loc[rows["is_known"]].drop(columns="is_known").reset_index(drop=True)
    entities, first_on = everybody
    statistics = TrainingStatistics(
        entities=int(entities),
        history_days=(as_of - first_on.date()).days if first_on else 0,
        training_cutoffs=int(bool(len(training))),
        positives=before[0],
        negatives=before[1] - before[0],
        holdout_positives=after[0],
        holdout_negatives=after[1] - after[0],
        entities_are=spec.entities_are,
        positive_is=spec.positive_is,
    )
    return (
        training,
        rows,
        TrainingCutoffs(cutoff, (cutoff,) if len(training) else (), horizon_days),
        snapshot,
        statistics,
    )


def leakage_findings(training: pd.DataFrame, cutoff: date, table: str) -> list[Finding]:
    """Return whether the rows that a model learns from are all from before its holdout.

    Raises
    ------
    CrmAgentsError
        When they are not: nothing is trained on them.
    """
    late = int((training["bought_on"].dt.date > cutoff).sum())
    if late:
        raise CrmAgentsError(
            f"{late:,} of the purchases to learn from lie after {cutoff}, in the holdout.",
            "This is a mistake: report it.",
        )
    return [Finding(LEAKAGE, "later_than_as_of", "info", f"no purchase to learn from lies after {cutoff}", table)]


def _came_back(connection: duckdb.DuckDBPyConnection, cutoff: date, horizon_days: int) -> tuple[int, int]:
    """Return how many customers known on `cutoff` bought in the horizon after it, and how many were known."""
    row = connection.execute(
        """
        select count(*) filter (bought), count(*) from (
            select bool_or(bought_on > $cutoff and bought_on <= $last) as bought from purchases
            group by customer_id having min(bought_on) <= $cutoff
        )
        """,
        {"cutoff": cutoff, "last": cutoff + timedelta(days=horizon_days)},
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
