"""``crm-agents doctor``: what is missing on this machine, and how to mend it."""

from __future__ import annotations

import typer

from crm_agents.cli.console import err, examples, out
from crm_agents.settings import load_settings

MARKS = {"ok": "[green]✓[/]", "note": "[yellow]·[/]", "problem": "[bold red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add the command of this module to `app`."""
    app.command(epilog=examples("crm-agents doctor"))(doctor)


def doctor() -> None:
    """Look at the environment, the machine and the stores; exit code 1 when something must be mended."""
    from crm_agents.stack.doctor import examine

    console = out()
    problems = 0
    for finding in examine(load_settings()):
        problems += finding.level == "problem"
        console.print(f"{MARKS[finding.level]} [bold]{finding.subject}[/]:", end=" ")
        console.print(finding.text, markup=False, soft_wrap=True)
        if finding.mend:
            console.print(f"    {finding.mend}", markup=False, soft_wrap=True)
    if problems:
        err().print(f"{problems} to mend.", style="red")
        raise typer.Exit(1)
