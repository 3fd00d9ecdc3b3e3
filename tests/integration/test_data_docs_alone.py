"""Data Docs are written by a process that has not run a gate itself, as a task of its own does."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

from crm_agents import gates, ingest, postgres


def test_pages_are_written_by_another_process(installation: Path) -> None:
    with postgres.connect() as crm:
        crm.execute("insert into crm.customers (customer_id) values ('c1')")
    batch = ingest.run(run_id="r1").batch_id
    gates.check_arrival(run_id="r1", as_of=date(2026, 1, 1), batch_id=batch)
    code = "from crm_agents import gates; print(gates.build_data_docs('r1'))"
    page = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()[
        -1
    ]
    assert "arrival" in Path(page).read_text()
