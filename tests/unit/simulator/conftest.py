"""One simulated company for all tests of its behaviour, and DuckDB over its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from crm_agents.simulator import SimulationReport, generate


@dataclass(frozen=True)
class Company:
    """A simulated company: its report, and a way to query its files as data.<table> and truth.<table>."""

    report: SimulationReport
    connection: duckdb.DuckDBPyConnection

    def rows(self, sql: str) -> list[tuple]:
        return self.connection.execute(sql).fetchall()

    def value(self, sql: str):
        return self.rows(sql)[0][0]


def open_files(report: SimulationReport) -> Company:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set timezone = 'UTC'")
    for schema, folder in (("data", report.target), ("truth", report.truth)):
        connection.execute(f"create schema {schema}")
        for file in folder.glob("*.parquet"):
            row = ", file_row_number + 1 as _row" if schema == "data" else ""
            connection.execute(
                f"create view {schema}.{file.stem} as "
                f"select * exclude (file_row_number){row} from read_parquet('{file}', file_row_number = true)"
            )
    # What the loader makes of the data: rows that go to quarantine left out, and dates of orders read
    for table in ("customers", "orders", "order_items", "payments", "interactions", "tickets", "leads"):
        connection.execute(
            f"""create view {table} as select d.* from data.{table} d anti join (
                from truth.dirt where table_name = '{table}' and treatment = 'quarantined'
            ) q on d._row = q.row"""
        )
    connection.execute(
        """create table purchases as
        select *, coalesce(try_cast(ordered_at as timestamp), try_strptime(ordered_at,
            ['%d.%m.%Y %H:%M', '%m/%d/%Y %I:%M %p'])) as moment
        from orders where status not in ('cancelled', 'returned')"""
    )
    return Company(report, connection)


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """The default company: 5,000 customers, three years."""
    home = tmp_path_factory.mktemp("simulated")
    return open_files(generate(home / "data", truth=home / "truth"))


@pytest.fixture
def simulate(tmp_path: Path) -> Callable[..., Company]:
    """Make a company of one's own, by default small."""

    def make(name: str = "small", **arguments: object) -> Company:
        settings = {"customers": 300, "years": 1.0} | arguments
        return open_files(generate(tmp_path / name / "data", truth=tmp_path / name / "truth", **settings))

    return make
