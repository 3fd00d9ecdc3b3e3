"""``crm-agents up``, ``down`` and ``status``: the local stack."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from crm_agents.cli.console import err, examples, out
from crm_agents.cli.progress import steps
from crm_agents.settings import Settings, load_settings

if TYPE_CHECKING:
    from crm_agents.stack.control import ComponentStatus

STYLES = {"healthy": "green", "starting": "yellow", "failed": "bold red", "unknown": "yellow", "down": "red"}


def register(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command(epilog=examples("crm-agents up", "crm-agents up --only postgres"))(up)
    app.command(epilog=examples("crm-agents down"))(down)
    app.command(epilog=examples("crm-agents status", "crm-agents status || crm-agents up"))(status)


def up(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Start this component only (repeatable); PostgreSQL is always among them."),
    ] = None,
) -> None:
    """Start PostgreSQL, Airflow and MLflow, and wait until all of them are healthy.

    What runs already is left alone. Everything listens on 127.0.0.1 and asks for a login.
    """
    from crm_agents.stack import control

    settings = load_settings()
    started = time.monotonic()
    with steps(err()) as tell:
        components = control.up(settings, only, tell)
    err().print(f"The stack is up after {time.monotonic() - started:.0f} s.", style="green")
    _print_addresses(settings, components)


def down() -> None:
    """Stop everything that `up` started; the data stay."""
    from crm_agents.stack import control

    with steps(err()) as tell:
        control.down(load_settings(), tell)
    err().print("The stack is down; no process is left.", style="green")


def status() -> None:
    """Say how each part of the stack is; exit code 1 when one of them is not healthy."""
    from crm_agents.stack import control

    settings = load_settings()
    components = control.status(settings)
    console = out()
    for entry in components:
        where = f"{entry.address or ''} pid {entry.pid}".strip() if entry.pid else ""
        line = Text.assemble((f"{entry.name:<23}", "bold"), (f"{entry.state:<9}", STYLES[entry.state]), where or "-")
        console.print(line.append(f": {entry.detail}" if entry.detail else ""), soft_wrap=True)
    troubled = [entry.name for entry in components if not entry.is_healthy]
    if troubled:
        err().print(f"Not healthy: {', '.join(troubled)}. Logs are in {settings.log_dir}.", style="red", soft_wrap=True)
        raise typer.Exit(1)


def _print_addresses(settings: Settings, components: Sequence[ComponentStatus]) -> None:
    from crm_agents.postgres import BUNDLED_USER

    logins = {
        "airflow-api": ("Airflow", "admin", "airflow_password"),
        "mlflow": ("MLflow", "admin", "mlflow_password"),
        "postgres": ("PostgreSQL", BUNDLED_USER, "postgres_password"),
    }
    for entry in components:
        if entry.name in logins and entry.address:
            title, user, secret = logins[entry.name]
            where = _short(settings.secrets_dir / secret)
            line = f"{title:<11} {entry.address:<22} user {user}, password in {where}"
            out().print(line, markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """Return `path` as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
