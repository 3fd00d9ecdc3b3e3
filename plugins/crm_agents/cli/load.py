"""``crm-agents load``: a company's source files into the CRM, with an account of every row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crm_agents.cli.console import err, examples, out
from crm_agents.cli.progress import steps

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from crm_agents.loading import LoadReport


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(
        epilog=examples(
            "crm-agents load simulated --customers 20000",
            "crm-agents load online_retail --data data/online_retail",
            "crm-agents load olist --data data/olist_sample data/olist_funnel",
            "crm-agents load path/to/my_company --data path/to/exports",
        )
    )(load)


def load(
    company: Annotated[str, typer.Argument(help="A company of examples/companies, or a folder of your own.")],
    more_data: Annotated[list[Path] | None, typer.Argument(metavar="[DIR]...", help="More data folders.")] = None,
    data: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Folder with the source files.")] = None,
    customers: Annotated[int | None, typer.Option(min=1, help="Size of the simulated company.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the simulated company.")] = None,
) -> None:
    """Make the CRM hold a company: read its files, map them, check every row, write only what differs.

    Rows that cannot be used are kept in crm_ai.quarantine with the reason. A load that fails changes nothing. A file that
    is in several data folders is united by its key; the folder named first wins.
    """
    load_and_report(company, [*(data or []), *(more_data or [])], customers=customers, seed=seed)


def load_and_report(
    company: str, data: Sequence[Path], *, customers: int | None = None, seed: int | None = None
) -> LoadReport:
    """Load with progress on standard error, and print what came of it."""
    from crm_agents.loading import load as load_company

    with steps(err()) as tell:
        report = load_company(company, data, customers=customers, seed=seed, progress=lambda line: tell("load", line))
        tell("load", "done")
    print_report(out(), report)
    return report


def print_report(console: Console, report: LoadReport) -> None:
    """Print the counts of files and tables, why rows were quarantined, and what else there is to know."""
    if report.replaced:
        console.print(
            f"Company {report.replaced} was in the CRM and is gone from it; what agents wrote about it stays in crm_ai."
        )
    console.print(_files(report))
    console.print(_tables(report))
    if report.reasons:
        console.print(_reasons(report))
    for note in report.notes:
        console.print(f"Note: {note}", markup=False)
    console.print(
        f"{report.company}: {report.rows_read:,} source rows = {report.rows_used:,} used + "
        f"{report.rows_quarantined:,} quarantined, in {report.seconds:.1f} s (run {report.run_id})."
    )


def _files(report: LoadReport) -> Table:
    table = _table("Source file", "read", "used", "quarantined")
    for counts in report.files:
        table.add_row(counts.file, *_numbers(counts.read, counts.used, counts.quarantined))
        if counts.repeated:
            table.add_row(f"  {counts.repeated:,} rows are the same as in an earlier folder", style="dim")
    return table


def _tables(report: LoadReport) -> Table:
    table = _table("CRM table", "read", "used", "quarantined")
    table.add_column("in the CRM")
    for counts in report.tables:
        changes = {"new": counts.inserted, "changed": counts.changed, "removed": counts.removed}
        said = ", ".join(f"{number:,} {word}" for word, number in changes.items() if number) or "nothing changed"
        table.add_row(counts.table, *_numbers(counts.read, counts.used, counts.quarantined), said)
    return table


def _reasons(report: LoadReport) -> Table:
    table = _table("Quarantined from", "rows")
    table.add_column("reason", overflow="fold")
    table.add_column("for example", overflow="fold")
    for reason in report.reasons:
        table.add_row(reason.table, f"{reason.rows:,}", reason.rule, reason.example)
    return table


def _table(first: str, *numbers: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right")
    return table


def _numbers(*values: int) -> list[str]:
    return [f"{value:,}" if value else "-" for value in values]
