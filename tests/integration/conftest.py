"""A small company of csv files that a test spoils and loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_agents import postgres
from crm_agents.loading import LoadReport, load

CUSTOMERS = """customer_id,name,since
c1,Ada,2024-01-01
c2,Ben,2024-01-02
c3,Cleo,2024-01-03
"""
ORDERS = """order_id,customer_id,ordered_at,promised_at,state
o1,c1,2024-02-01 10:00:00,2024-02-05,completed
o2,c2,2024-02-02 11:00:00,2024-02-06,completed
o3,,2024-02-03 12:00:00,2024-02-07,placed
"""
LINES = """order_id,line,product,pieces,price
o1,1,pen,2,1.50
o1,2,ink,1,12.00
o2,1,pen,10,1.40
o3,1,cap,1,7.25
"""
MAPPINGS = {
    "customers": "select customer_id, name, since as created_at, _source_file, _row from customers",
    "orders": "select order_id, customer_id, ordered_at, promised_at, state as status, _source_file, _row from orders",
    "order_items": """select order_id, line as line_no, product as product_id, pieces as quantity, price as unit_price,
        _source_file, _row from lines""",
}


class Shop:
    """A company folder and its data folder, complete and right until a test changes something."""

    def __init__(self, root: Path) -> None:
        self.folder, self.data = root / "shop", root / "data"
        self.settings: dict[str, Any] = {
            "name": "shop",
            "title": "A shop",
            "last_event_on": "2024-12-31",
            "sources": [
                {"name": "customers", "file": "customers.csv", "key": ["customer_id"]},
                {"name": "orders", "file": "orders.csv", "key": ["order_id"]},
                {"name": "lines", "file": "lines.csv", "key": ["order_id", "line"]},
            ],
        }
        for folder in (self.folder, self.data):
            folder.mkdir()
        for name, text in (("customers.csv", CUSTOMERS), ("orders.csv", ORDERS), ("lines.csv", LINES)):
            self.write(name, text)
        for table, sql in MAPPINGS.items():
            self.map(table, sql)

    def source(self, name: str) -> dict[str, Any]:
        """Return the settings of a source, to be changed."""
        return next(source for source in self.settings["sources"] if source["name"] == name)

    def write(self, name: str, text: str, encoding: str = "utf-8", folder: Path | None = None) -> Path:
        """Write a source file with exactly these characters."""
        path = (folder or self.data) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    def map(self, table: str, sql: str) -> None:
        """Write the mapping of a CRM table."""
        (self.folder / f"{table}.sql").write_text(sql)

    def load(self, folders: Sequence[Path] | None = None, run_id: str | None = None) -> LoadReport:
        """Load it, from its data folder or from `folders`."""
        text = yaml.safe_dump(self.settings, sort_keys=False).replace("'2024-12-31'", "2024-12-31")
        (self.folder / "company.yml").write_text(text)
        return load(str(self.folder), folders or [self.data], run_id=run_id)

    @staticmethod
    def crm(query: str) -> list[tuple]:
        """Return the rows of a query on the CRM database."""
        with postgres.connect() as connection:
            return connection.execute(query).fetchall()

    def quarantine(self) -> list[tuple]:
        """Return (table, file, row number, reason) of every quarantined row."""
        return self.crm(
            "select table_name, source_file, (row ->> '_row')::int, reason from crm_ai.quarantine order by 1, 2, 3"
        )


@pytest.fixture
def shop(installation: Path, tmp_path: Path) -> Shop:
    """A small company on an empty installation, not loaded yet."""
    return Shop(tmp_path)


@pytest.fixture
def scored(installation: Path) -> None:
    """Some hundred customers, all of them scored (see `tests.scored_customers`)."""
    from tests.scored_customers import score_everybody

    score_everybody(installation)
