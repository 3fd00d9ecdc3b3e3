"""Time from a change in the CRM to the written-back score, through Airflow.

    .venv/bin/python benchmarks/freshness.py --changed 500 --repeat 3
    .venv/bin/python benchmarks/freshness.py --customers 1000000 --changed 10000

Needs a running stack (`make up`). Loads a simulated company of --customers when another one (or none) is loaded, and runs the
chain once. Then, --repeat times: one transaction gives --changed customers a new order; the clock runs from its commit until the
scores that follow from it are visible to another session. Nothing is triggered by hand: the CRM watcher notices the change.
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import UTC, datetime

from changes import ask_nobody, change
from rich.console import Console
from rich.table import Table

from crm_agents import postgres
from crm_agents.airflow_api import AirflowClient
from crm_agents.loading import load
from crm_agents.run import run_chain

console = Console()
PATIENCE_SECONDS = 1200
PATH = ("ingest_crm", "build_marts", "customer_behaviour_agent")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--changed", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    prepare(arguments.customers)
    seconds = []
    for attempt in range(arguments.repeat):
        took, since, written = change_and_wait(arguments.changed, attempt)
        seconds.append(took)
        console.print(f"{arguments.changed:,} customers changed: {took:.1f} s until {written:,} scores were visible")
        settle()
        print_path(since)
    worst = max(seconds)
    console.print(f"median {statistics.median(seconds):.1f} s, worst of {len(seconds)} {worst:.1f} s", style="bold")


def prepare(customers: int) -> None:
    """Have a simulated company of `customers` loaded and scored."""
    with postgres.connect() as crm:
        present = crm.execute("select count(*) from crm.customers").fetchone()[0]
        scored = crm.execute("select count(*) from crm_ai.scores where status = 'scored'").fetchone()[0]
    if abs(present - customers) > customers * 0.05:
        load("simulated", customers=customers, progress=console.print)
        scored = 0
    if ask_nobody() or not scored:
        with AirflowClient() as client:
            chain = run_chain(client, tell=lambda dag, text: None)
        if not chain.is_success:
            raise SystemExit([run.failures for run in chain.runs])
    settle()


def change_and_wait(changed: int, attempt: int) -> tuple[float, datetime, int]:
    """Give `changed` customers a new order; return the seconds until scores were visible, the start, and the rows."""
    change(changed, str(attempt))
    with postgres.connect() as crm:
        before = crm.execute("select clock_timestamp()").fetchone()[0]
    committed = time.monotonic()
    while time.monotonic() - committed < PATIENCE_SECONDS:
        with postgres.connect() as crm:
            seen = crm.execute("select count(*) from crm_ai.scores where updated_at > %s", (before,)).fetchone()[0]
        if seen:
            return time.monotonic() - committed, before, seen
        time.sleep(0.2)
    raise SystemExit(f"no score followed within {PATIENCE_SECONDS} s")


def settle() -> None:
    """Wait until no DAG is running, so that trials do not overlap."""
    with AirflowClient() as client:
        while any(run.state in ("running", "queued") for run in client.runs(since=datetime.now(UTC).replace(hour=0))):
            time.sleep(1)
        time.sleep(2)


def print_path(since: datetime) -> None:
    """Print when each task on the way started and ended, in seconds after the change."""
    table = Table("task", "started", "ended", "seconds", box=None, title="the way, in seconds after the commit")
    with AirflowClient() as client:
        for dag in PATH:
            for run in client.runs(dag, since=since)[:1]:
                tasks = [
                    task for task in client.task_instances(dag, run.run_id) if task["start_date"] and task["end_date"]
                ]
                for task in sorted(tasks, key=lambda task: task["start_date"]):
                    begin, end = (datetime.fromisoformat(task[key]) for key in ("start_date", "end_date"))
                    table.add_row(
                        f"{dag}.{task['task_id']}",
                        f"{(begin - since).total_seconds():.1f}",
                        f"{(end - since).total_seconds():.1f}",
                        f"{(end - begin).total_seconds():.2f}",
                    )
    console.print(table)


if __name__ == "__main__":
    main()
