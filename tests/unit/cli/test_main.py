"""The program as a person meets it: help with examples, a version, sentences instead of tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from typer.main import get_command

import crm_agents
from crm_agents.cli import application

PROGRAM = Path(sys.executable).parent / "crm-agents"


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the console script as a person would."""
    environment = {**os.environ, "CRM_AGENTS_HOME": str(home), "COLUMNS": "200"}
    return subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=60)


def commands() -> dict[str, click.Command]:
    """Return every command by its name."""
    return dict(get_command(application()).commands)


def test_version(tmp_path: Path) -> None:
    done = run("--version", home=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"crm-agents {crm_agents.__version__}")


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_has_help_and_examples(name: str) -> None:
    command = commands()[name]
    assert command.help
    assert f"crm-agents {name}" in (command.epilog or "")


def test_a_mistake_ends_with_a_sentence(tmp_path: Path) -> None:
    done = run("query", "select 1", home=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "No PostgreSQL is known" in done.stderr
    assert "crm-agents up" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_names_what_is_down(tmp_path: Path) -> None:
    done = run("status", home=tmp_path)
    assert done.returncode == 1
    assert "Not healthy: postgres, mlflow" in done.stderr


def test_unknown_command(tmp_path: Path) -> None:
    done = run("nonsense", home=tmp_path)
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, crm_agents.cli, crm_agents.cli.stack, crm_agents.cli.query, crm_agents.airflow_api\n"
        "heavy = {'airflow', 'pandas', 'duckdb', 'mlflow', 'psycopg', 'httpx', 'dbt', 'great_expectations'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
