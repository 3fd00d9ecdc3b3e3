"""The Airflow scheduler, with the heavy libraries imported before its workers are forked from it.

LocalExecutor forks its workers from the scheduler and each task from a worker. What the scheduler has imported is
therefore there, copy-on-write, in every task: importing Great Expectations, dbt, scikit-learn and MLflow costs a task
ten seconds on its own, and nothing here.

Rules that keep it safe:

- import only: no thread pool, OpenMP region, connection or engine may exist before a fork (see `LIBRARIES`);
- only libraries of others: an edited module of crm_agents, models_ml or expectations must count at the next task, not
  at the next start of the scheduler. The dbt project is parsed ahead, and parsed again by a task that finds a file changed.
"""

from __future__ import annotations

import importlib
import inspect
import os
import selectors
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from crm_agents.stack import airflow_process

LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.parquet",
    "psycopg",
    "duckdb",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "xgboost",
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "great_expectations",
    "mlflow",
)

# Written into Airflow's home when its tables are as the installed version needs them.
MIGRATED = "migrated.json"

# Parts of Airflow that only its workers use: each of the four would import them at its own first task.
AIRFLOW_PARTS = (
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.bundles.local",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.providers.standard.decorators.python",
    "airflow.providers.standard.operators.hitl",
)


# What of ours stays loaded: it starts the scheduler, or holds what tasks inherit.
OURS_KEPT = ("crm_agents", "crm_agents.stack", "crm_agents.parsed_project")


def import_all(names: Iterable[str]) -> None:
    """Import modules; one that cannot be imported is left to the task that needs it, which then says so itself."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not imported before forking: {name} ({error})", file=sys.stderr)


def parse_dbt_project() -> None:
    """Parse the dbt project for all tasks to come; where that fails, the task that builds says why."""
    from crm_agents.errors import CrmAgentsError
    from crm_agents.marts.running import parse_ahead
    from crm_agents.settings import load_settings

    try:
        parse_ahead(load_settings())
    except CrmAgentsError as error:
        print(f"not parsed before forking: {error}", file=sys.stderr)
    # dbt asks for the caller's place once per process, and Python then looks up the file of every loaded module.
    inspect.getmodule(inspect.currentframe())
    forget_own_modules()


def forget_own_modules() -> None:
    """Unload our own modules, so that each task loads them as they are then."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("crm_agents", "models_ml", "expectations")]:
        if name in OURS_KEPT or name.startswith("crm_agents.stack."):
            continue
        del sys.modules[name]
        package, _, child = name.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(child, None)


def notice_ended_tasks_at_once() -> None:
    """Let a worker wake up when its task's process has ended.

    Airflow 3.3's worker waits for the ends of the pipes to its task, and then looks whether the process has ended. A
    process closes its pipes a moment before it has ended, so the worker often looks too early and then sleeps for
    ``[workers] min_heartbeat_interval`` (5 s) with nothing left that could wake it: its slot stays taken, and a failed
    task is reported that much later. A pidfd becomes readable when the process has ended, and not before.
    """
    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # an old or a sandboxed kernel: everything works, only slower
        return
    register_pipes = WatchedSubprocess._register_pipe_readers

    def register_pipes_and_process(self: WatchedSubprocess, *arguments: Any, **named: Any) -> None:
        register_pipes(self, *arguments, **named)
        process = open(os.pidfd_open(self.pid), "rb", buffering=0)  # noqa: SIM115  (closed by the loop that waits)
        self.selector.register(process, selectors.EVENT_READ, (lambda _process: False, self.selector.unregister))

    WatchedSubprocess._register_pipe_readers = register_pipes_and_process  # type: ignore[method-assign]


def main() -> NoReturn:
    """Run ``airflow scheduler`` in this process (``python -m crm_agents.stack.warm``)."""
    if sys.platform == "linux":
        import_all(LIBRARIES)
        parse_dbt_project()
    while not (Path(os.environ["AIRFLOW_HOME"]) / MIGRATED).exists():
        time.sleep(0.1)
    if sys.platform == "linux":
        import_all(AIRFLOW_PARTS)
        notice_ended_tasks_at_once()
    airflow_process.run(["scheduler", "--skip-serve-logs"])


if __name__ == "__main__":
    main()
