"""The table ``crm_ai.recommendations``: the products that each customer is likeliest to buy next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents import lake, purchase_log
from crm_agents.writeback import Target

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from crm_agents.registry import ServingModel

MODEL = "recommendations"
# A reason that only counts the days anew is not worth a write: the product at its rank is what people act on.
TARGET = Target(
    table="crm_ai.recommendations",
    key=("customer_id", "rank"),
    compared=("product_id", "model_version"),
    carried=("score", "reason", "method", "as_of", "run_id"),
    never_when="new.as_of < old.as_of",
    is_whole=True,
)


def fill_nothing(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> None:
    """Fill lake `table` with no recommendation at all."""
    kinds = "run_id varchar, customer_id varchar, rank smallint, product_id varchar, score double, reason varchar, "
    connection.execute(f"create table if not exists {table} ({kinds}method varchar, model_version varchar, as_of date)")
    connection.execute(f"delete from {table} where run_id = ?", [run_id])


def fill(
    connection: duckdb.DuckDBPyConnection, table: str, run_id: str, as_of: date, snapshot: int, model: ServingModel
) -> None:
    """Fill lake `table` with what `model` recommends to everybody who has bought by `as_of`, as a snapshot of the lake knows it.

    Only products that may be sold are offered: active ones of the catalogue.
    """
    from models_ml.recommendations.history import history
    from models_ml.recommendations.recommend import recommend

    known = history(purchase_log.read(connection, "lines", as_of, snapshot), as_of)
    catalogue = connection.execute(
        f"select product_id, coalesce(name, product_id) as name from marts.dim_products at (version => {snapshot:d}) "
        "where coalesce(is_active, true) and is_product"
    ).df()
    names = dict(zip(catalogue["product_id"], catalogue["name"], strict=True))
    found = recommend(model.fitted.scorer(known), known, known.customers, catalogue=list(names), names=names)
    connection.register("found", found)
    version = model.version
    lake.replace_rows(
        connection,
        table,
        run_id,
        f"select '{run_id}' as run_id, customer_id::varchar as customer_id, rank::smallint as rank, "
        "product_id::varchar as product_id, score::double as score, reason::varchar as reason, "
        f"'{version.method}' as method, '{version.version}' as model_version, date '{as_of}' as as_of from found",
    )
