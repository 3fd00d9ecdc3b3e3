"""What the last complete build left behind, and so what the next one has to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from crm_agents import lake
from crm_agents.company import Company
from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.marts.running import PROJECT_DIR
from crm_agents.settings import Settings

if TYPE_CHECKING:
    import duckdb

STATE_DDL = (
    "create table if not exists lake.intermediate.build_state (fingerprint VARCHAR, batch_id BIGINT, as_of DATE)"
)
INGEST_NOTES = "select table_name, batch_id from lake.raw.ingest_state"
# Models that say something about as_of, whether or not anything has arrived.
AS_OF_MODELS = ("fct_opportunities", "dim_dates")
# From this many arrived rows on (and so many per customer) features are computed for all: looking up each is dearer.
MANY_ROWS = 50_000
MANY_ROWS_PER_CUSTOMER = 0.3


@dataclass(frozen=True)
class Situation:
    """What raw holds, and what the last complete build had seen of it.

    Parameters
    ----------
    batch_id : int
        Newest ingest batch in raw.
    is_current : bool
        The tables were built with today's SQL and settings.
    arrived : tuple of str
        Raw tables with rows newer than the last complete build.
    last_as_of : date or None
        The day of the last complete build.
    whole_cutoffs : bool
        Compute the features of all customers, because a cut-off is new or many customers changed.
    """

    batch_id: int
    is_current: bool
    arrived: tuple[str, ...]
    last_as_of: date | None
    whole_cutoffs: bool

    def selection(self, as_of: date, *, labels: bool) -> list[str]:
        """Return dbt's arguments for everything that is not up to date."""
        if not self.is_current:
            return []
        chosen = [f"source:raw.{table}+" for table in self.arrived] + ["ftr_customers"]
        chosen += AS_OF_MODELS if as_of != self.last_as_of else ()
        left_out = ["config.materialized:view"]  # they follow their tables by themselves
        if labels:
            chosen.append("lbl_customers")
        else:
            left_out.append("lbl_customers")
        return ["--select", *chosen, "--exclude", *left_out]


def look(company: Company, cutoffs: Collection[date], settings: Settings) -> Situation:
    """Compare raw with the last complete build.

    Raises
    ------
    CrmAgentsError
        When a raw table is missing.
    """
    with lake.connect(settings=settings) as connection:
        newest = _newest_batches(connection)
        connection.execute(STATE_DDL)
        row = connection.execute("select fingerprint, batch_id, as_of from lake.intermediate.build_state").fetchone()
        fingerprint, seen, last_as_of = row or (None, 0, None)
        arrived = tuple(table for table, batch in newest.items() if batch > seen)
        whole = _many_arrived(connection, arrived, seen) or not _all_built(connection, cutoffs)
    batch_id = max(newest.values(), default=0)
    return Situation(batch_id, fingerprint == _fingerprint(company), arrived, last_as_of, whole)


def remember(situation: Situation, company: Company, as_of: date, settings: Settings) -> None:
    """Record a build of everything that was not up to date."""
    with lake.connect(settings=settings) as connection:
        connection.execute("begin")
        connection.execute("delete from lake.intermediate.build_state")
        connection.execute(
            "insert into lake.intermediate.build_state values (?, ?, ?)",
            [_fingerprint(company), situation.batch_id, as_of],
        )
        connection.execute("commit")


def newest_batch(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the newest ingest batch that any raw table holds, 0 when all are empty."""
    return max(_newest_batches(connection).values(), default=0)


def _newest_batches(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the newest batch of each raw table: from the ingest's own notes, or else from the tables themselves."""
    import duckdb

    with suppress(duckdb.CatalogException):
        return dict(connection.execute(INGEST_NOTES).fetchall())
    tables = " union all ".join(
        f"select '{name}' as name, coalesce(max(_batch), 0) as batch from lake.raw.{name}" for name in crm_tables()
    )
    try:
        return dict(connection.execute(tables).fetchall())
    except duckdb.CatalogException as error:
        raise CrmAgentsError(
            f"The lake has no raw data yet: {str(error).splitlines()[0]}", "`crm-agents run ingest_crm` fills it."
        ) from error


def _many_arrived(connection: duckdb.DuckDBPyConnection, arrived: tuple[str, ...], seen: int) -> bool:
    rows = 0
    for table in arrived:
        if "customer_id" in crm_tables()[table].columns:
            found = connection.execute(f"select count(*) from lake.raw.{table} where _batch > {seen:d}").fetchone()
            rows += int(found[0]) if found else 0
    customers = connection.execute("select count(*) from lake.raw.customers").fetchone()
    return rows > max(MANY_ROWS, MANY_ROWS_PER_CUSTOMER * (customers[0] if customers else 0))


def _all_built(connection: duckdb.DuckDBPyConnection, cutoffs: Collection[date]) -> bool:
    import duckdb

    days = ", ".join(f"date '{day}'" for day in cutoffs)
    try:
        built = connection.execute(
            f"select count(distinct as_of) from lake.features.ftr_customers where as_of in ({days})"
        ).fetchone()
    except duckdb.CatalogException:
        return False
    return bool(built and built[0] == len(set(cutoffs)))


def _fingerprint(company: Company) -> str:
    """Hash everything that decides what a row of an incremental table looks like, other than the data."""
    digest = hashlib.sha256(json.dumps([company.purchase_statuses, company.non_product_codes]).encode())
    for folder in ("models", "macros", "snapshots"):
        for path in sorted((PROJECT_DIR / folder).rglob("*.sql")):
            digest.update(path.relative_to(PROJECT_DIR).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update((PROJECT_DIR / "dbt_project.yml").read_bytes())
    return digest.hexdigest()
