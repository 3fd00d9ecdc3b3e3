"""``crm-agents demo``: from nothing to scores in the CRM, in one command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from crm_agents.cli.console import err, examples, out
from crm_agents.cli.progress import steps


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(epilog=examples("crm-agents demo", "crm-agents demo online_retail --data data/online_retail"))(demo)


def demo(
    company: Annotated[
        str, typer.Argument(help="A company of examples/companies, or a folder of your own.")
    ] = "simulated",
    data: Annotated[list[Path] | None, typer.Option(help="Folder with the company's files (repeatable).")] = None,
    keep_up: Annotated[bool, typer.Option(help="Leave the stack running at the end.")] = False,
) -> None:
    """Start the stack, load a company, run every agent through the Airflow scheduler, show what came of it, stop.

    The state stays: `crm-agents up` brings the same company back with its user interfaces.
    """
    from crm_agents.cli.load import load_and_report
    from crm_agents.cli.run import run_and_watch
    from crm_agents.cli.summary import print_summary
    from crm_agents.settings import load_settings
    from crm_agents.stack import control
    from crm_agents.summary import collect

    settings, console = load_settings(), err()
    took: dict[str, float] = {}
    try:
        console.rule("1/4 PostgreSQL")
        with _timed(took, "PostgreSQL"), steps(console) as tell:
            control.up(settings, ("postgres",), tell)
        console.rule(f"2/4 Load {company}")
        with _timed(took, "loading the company"):
            load_and_report(company, data or [])
        console.rule("3/4 Airflow and MLflow")
        with _timed(took, "starting Airflow and MLflow"), steps(console) as tell:
            control.up(settings, None, tell)
        console.rule("4/4 The agents at work")
        with _timed(took, "the DAGs"):
            chain = run_and_watch(None, None)
        found = collect()
    finally:
        if not keep_up:
            console.rule("Stopping")
            with steps(console) as tell:
                control.down(settings, tell)
    print_summary(out(), found, chain, took)


class _timed:  # noqa: N801 - reads as a word: with _timed(...)
    """Notes in `took` how long its block lasted, in seconds."""

    def __init__(self, took: dict[str, float], name: str) -> None:
        self.took, self.name = took, name

    def __enter__(self) -> None:
        self.started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.took[self.name] = time.monotonic() - self.started
