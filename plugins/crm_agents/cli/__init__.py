"""The command line: ``crm-agents``.

Each module of this package is a group of commands with a function ``register(app)``; `application` names the groups.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import crm_agents
from crm_agents.errors import CrmAgentsError


def application() -> typer.Typer:
    """Return the command line application with every command group registered."""
    from crm_agents.cli import demo, doctor, load, models, query, run, simulate, stack

    app = typer.Typer(
        name="crm-agents",
        help="AI agents that work on a CRM: start the stack, load a company, run the agents, read what they wrote.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="First steps: crm-agents up, crm-agents load simulated, crm-agents run.",
    )
    app.callback()(_options)
    for group in (demo, stack, load, run, simulate, query, models, doctor):
        group.register(app)
    return app


def main() -> None:
    """Run the command line; a mistake of the user's ends with a sentence and exit code 1, not with a traceback."""
    from crm_agents.cli.console import print_error
    from crm_agents.disk import explain_if_full

    try:
        application()()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        known = explain_if_full(error) or (error if isinstance(error, CrmAgentsError) else None)
        if known is None:
            raise
        print_error(known)
        sys.exit(1)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"crm-agents {crm_agents.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""
