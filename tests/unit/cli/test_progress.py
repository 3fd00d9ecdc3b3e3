"""Progress: a list that is redrawn on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from crm_agents.cli.progress import steps


def test_in_a_log_each_event_is_one_line() -> None:
    text = io.StringIO()
    with steps(Console(file=text, width=100)) as tell:
        for words in ("creating", "still creating", "healthy", "healthy"):
            tell("postgres", words)
        tell("mlflow", "[starting]")
    lines = [line.split("s  ", 1)[1] for line in text.getvalue().splitlines()]
    assert lines == ["postgres: creating", "postgres: healthy", "mlflow: [starting]"]


def test_on_a_terminal_each_name_keeps_its_line() -> None:
    text = io.StringIO()
    with steps(Console(file=text, width=100, force_terminal=True, color_system=None)) as tell:
        tell("postgres", "creating")
        tell("postgres", "healthy")
        tell("mlflow", "starting")
    last_frame = text.getvalue().rsplit("✓", 1)[1]
    assert "postgres" in last_frame
    assert "healthy" in last_frame
    assert "mlflow" in last_frame
