"""``crm-agents simulate``: days of the simulated company, with the agents at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_agents.cli.console import err, examples, out

if TYPE_CHECKING:
    from crm_agents.simulation import Progress


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(
        epilog=examples(
            "crm-agents simulate --days 7",
            "crm-agents simulate --days 120 --customers 5000 --seed 7 --report docs/results.md",
            "crm-agents simulate --days 0 --report docs/results.md",
            "crm-agents simulate --days 2 --through-airflow",
        )
    )(simulate)


def simulate(
    days: Annotated[int, typer.Option(min=0, help="Days to simulate; 0 only reports what there is.")],
    customers: Annotated[int | None, typer.Option(min=1, help="Size of the company, when none is loaded.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the company, when none is loaded.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison into this Markdown file.")
    ] = None,
    through_airflow: Annotated[
        bool, typer.Option(help="Run each day's DAGs through the scheduler (slow) instead of in this process.")
    ] = False,
) -> None:
    """Move the simulated company forward: customers answer what the agents decided, agents run, models learn.

    The loaded simulated company (or a new one) lives on beside its CRM, a day at a time. Twins of it, with the same luck but
    other habits of contacting customers, show what the agents are worth. Run again, it goes on after the last finished day;
    a day that was interrupted is repeated. PostgreSQL must be running: crm-agents up.
    """
    from rich.status import Status

    from crm_agents.simulation import simulate as run
    from crm_agents.simulation.pipeline import run_day, run_day_through_airflow

    console = err()
    with Status("beginning", console=console) as status:
        done = run(
            days,
            customers=customers,
            seed=seed,
            pipeline=run_day_through_airflow if through_airflow else run_day,
            on_day=lambda progress: console.print(_line(progress), soft_wrap=True),
            tell=status.update,
        )
        if report:
            from crm_agents.simulation.report import write_report

            status.update("comparing the worlds")
            for line in write_report(done, report):
                out().print(line, markup=False, soft_wrap=True)
    out().print(f"{done.days} days of the simulated company are finished, from {done.start_on} on.")


def _line(progress: Progress) -> str:
    done, day = progress.pipeline, progress.day
    parts = [f"{progress.number:>3}/{progress.wanted} {progress.on}"]
    if day is not None:
        parts.append(f"{day.orders} orders, {day.revenue_cents / 100:,.0f} revenue, {day.contacts} contacts")
        parts.append(f"{progress.rows:,} rows")
    parts.append(f"{done.decisions:,} decisions")
    parts += [f"{result.model} {result.status} (grade {result.grade})" for result in done.trained]
    return " · ".join([*parts, f"{progress.seconds:.1f} s"])
