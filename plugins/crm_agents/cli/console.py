"""What the commands share when they talk to a person: consoles, errors and examples."""

from __future__ import annotations

from rich.console import Console

from crm_agents.errors import CrmAgentsError


def out() -> Console:
    """Return the console for results."""
    return Console(highlight=False)


def err() -> Console:
    """Return the console for progress and errors, which must not mix with results."""
    return Console(stderr=True, highlight=False)


def print_error(error: CrmAgentsError) -> None:
    """Print what is wrong in red, and below it the way out; on standard error."""
    console = err()
    console.print(error.what, style="bold red", markup=False, soft_wrap=True)
    if error.way_out:
        console.print(error.way_out, markup=False, soft_wrap=True)


def examples(*lines: str) -> str:
    """Return the text that follows a command's help."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)
