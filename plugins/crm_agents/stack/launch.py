"""What supervisor starts for each component: prepares its environment, then becomes the component.

``python -m crm_agents.stack.launch NAME``. So that supervisor's own configuration holds neither ports nor keys, and a
restarted component always reads the present ones.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from crm_agents.settings import Settings, load_settings
from crm_agents.stack import bundled_postgres, mlflow_server
from crm_agents.stack.environment import COMPONENT_VARIABLE, stack_environment
from crm_agents.stack.leftovers import end_processes, orphans_of_session
from crm_agents.stack.ports import read_ports


@dataclass(frozen=True)
class Program:
    """A command to become, what it needs in its environment, and the account it runs under (None: ours)."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None


def _postgres(settings: Settings) -> Program:
    bundled_postgres.open_way(settings)  # the rights of a folder above may have changed since the last start
    command = bundled_postgres.server_command(settings, read_ports(settings)["postgres"])
    return Program(command, user=bundled_postgres.system_user())


def _airflow(*arguments: str) -> Callable[[Settings], Program]:
    return lambda _settings: Program([sys.executable, "-m", "crm_agents.stack.airflow_process", *arguments])


def _scheduler(_settings: Settings) -> Program:
    return Program([sys.executable, "-m", "crm_agents.stack.warm"])


def _mlflow(settings: Settings) -> Program:
    command = [sys.executable, "-m", "crm_agents.stack.mlflow_server"]
    return Program(command, environment=mlflow_server.server_environment(settings))


PROGRAMS: dict[str, Callable[[Settings], Program]] = {
    "postgres": _postgres,
    "airflow-api": _airflow("api-server"),
    "airflow-scheduler": _scheduler,
    "airflow-dag-processor": _airflow("dag-processor"),
    "airflow-triggerer": _airflow("triggerer", "--skip-serve-logs"),
    "mlflow": _mlflow,
}


def main(name: str) -> None:
    """Become the component `name`."""
    settings = load_settings()
    # Children of a component that was killed would hold its port or its memory for ever.
    end_processes(orphans_of_session(os.getsid(0)))
    program = PROGRAMS[name](settings)
    environment = {**stack_environment(settings), **program.environment, COMPONENT_VARIABLE: name}
    os.umask(0o077)
    os.chdir("/" if program.user else settings.home)
    if program.user:
        _become(program.user)
    os.execve(program.command[0], program.command, environment)  # noqa: S606  (no shell is what we want)


def _become(user: str) -> None:
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


if __name__ == "__main__":
    main(sys.argv[1])
