"""dbt-duckdb plugin: loads the lake's extensions from their wheels before the lake is attached.

dbt-duckdb's own option would install them, which means to download them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbt.adapters.duckdb.plugins import BasePlugin  # noqa: TID253 (dbt imports this module, nobody else does)

from crm_agents import lake

if TYPE_CHECKING:
    import duckdb


class Plugin(BasePlugin):
    """Named in the profile that `crm_agents.marts` writes."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Load the extensions into dbt's DuckDB."""
        for name in lake.EXTENSIONS:
            conn.execute(f"load '{lake.extension_file(name)}'")
