"""What each customer is worth: purchases and revenue of the months to come, from the purchases themselves.

One model (`MODEL`) gives two things: the score, which is the revenue within the model's horizon, and a row of
``crm_ai.customer_values`` with 3, 6 and 12 months. Both come from one look at the purchases, kept in `VALUES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crm_agents import lake, postgres, purchase_log, writeback
from crm_agents.agents import scope
from crm_agents.agents.frame import AgentRun
from crm_agents.model_catalog import find_model
from crm_agents.writeback import Target, WriteCounts

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from crm_agents.agents.scope import Scope
    from crm_agents.registry import ServingModel

MODEL = "lifetime_value"
VALUES = "predictions.customer_values"
TABLE = "crm_ai.customer_values"
MONTHS = (3, 6, 12)
COUNTS = ("probability_alive", *(f"expected_purchases_{months}m" for months in MONTHS))
AMOUNTS = tuple(f"expected_value_{months}m{bound}" for months in MONTHS for bound in ("", "_lo80", "_hi80"))
WRITTEN = ("p_alive", *COUNTS[1:], *AMOUNTS)
# What moves by less is the same to whoever reads it: a millionth of a purchase, half a cent.
TOLERANCES = {**dict.fromkeys(WRITTEN, 1e-6), **dict.fromkeys(AMOUNTS, 0.005)}


def predict(
    connection: duckdb.DuckDBPyConnection, run: AgentRun, rows: str, works_on: Scope, model: ServingModel
) -> pd.DataFrame:
    """Fill `VALUES` with what the customers in `rows` will buy and bring; return their customer_id and value.

    Parameters
    ----------
    rows : str
        Features of the customers that the run works on, as SQL after ``from``: only their purchases are read.
    """
    those = f"select customer_id from {rows} where as_of = date '{run.as_of}' and has_purchased"
    bought = purchase_log.query(find_model(MODEL).learns_from, run.as_of, works_on.snapshot, only=those)
    frame = connection.execute(f"select *, date '{run.as_of}' as as_of from ({bought}) order by all").df()
    found: Any = model.predict(frame)
    connection.register("valued", found.drop(columns="expected_value"))
    numbers = ", ".join(
        f'"{name}"::double as "{name}"' for name in found if name not in ("customer_id", "expected_value")
    )
    lake.replace_rows(
        connection,
        VALUES,
        run.run_id,
        f"select '{run.run_id}' as run_id, date '{run.as_of}' as as_of, customer_id::varchar as customer_id, {numbers}, "
        f"'{model.version.method}' as method, '{model.version.version}' as model_version from valued",
    )
    valued: pd.DataFrame = found[["customer_id"]].assign(value=found["expected_value"])
    return valued


def nobody(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> None:
    """Leave `VALUES` without rows of `run`: nobody is valued by it."""
    numbers = ", ".join(f"null::double as {name}" for name in (*COUNTS, *AMOUNTS))
    lake.replace_rows(
        connection,
        VALUES,
        run.run_id,
        f"select '' as run_id, null::date as as_of, '' as customer_id, {numbers}, '' as method, '' as model_version "
        "where false",
    )


def explained(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> tuple[list[str], str]:
    """Return the columns that reasons of values are made of, and the rows of `run` that have them, as SQL after ``from``."""
    described = connection.execute(f"describe {VALUES}").fetchall()
    return [name for name, kind, *_ in described if kind == "DOUBLE"], f"(from {VALUES} where run_id = '{run.run_id}')"


def write(connection: duckdb.DuckDBPyConnection, run: AgentRun, currency: str, only: str) -> WriteCounts:
    """Bring ``crm_ai.customer_values`` to what the run found, with ledger; nothing while the model waits for a champion.

    Rows of customers who can no longer be valued are deleted, unless there are values of a later day already.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    only : str
        SQL condition on ``customer_id`` in PostgreSQL that holds for the customers that the run works on.
    """
    works_on = scope.recall(run)
    if works_on is not None and MODEL not in works_on.versions:
        return WriteCounts(0, 0, 0)
    connection.execute(
        f"create or replace temp view values_now as select *, probability_alive as p_alive, "
        f"'{currency}' as currency from {VALUES} "
        f"where run_id = '{run.run_id}'"
    )
    return writeback.write_back(
        connection, _target(only, is_whole=not _is_overtaken(run)), "values_now", run_id=run.run_id
    )


def _target(only: str, *, is_whole: bool) -> Target:
    return Target(
        table=TABLE,
        key=("customer_id",),
        compared=(*WRITTEN, "currency", "method", "model_version"),
        carried=("as_of", "run_id"),
        scope=only,
        tolerances=TOLERANCES,
        never_when="new.as_of < old.as_of",
        is_whole=is_whole,
    )


def _is_overtaken(run: AgentRun) -> bool:
    with postgres.connect() as crm:
        row = crm.execute(f"select coalesce(max(as_of) > %s, false) from {TABLE}", (run.as_of,)).fetchone()
    return bool(row and row[0])
