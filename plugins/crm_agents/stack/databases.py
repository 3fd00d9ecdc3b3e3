"""What the databases need before the components that use them can start."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import Executor, Future
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from crm_agents import lake, postgres
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, write_private
from crm_agents.stack import mlflow_server
from crm_agents.stack.environment import stack_environment
from crm_agents.stack.leftovers import is_our_postgres
from crm_agents.stack.warm import MIGRATED


def forget_stale_lock(settings: Settings) -> None:
    """Remove ``postmaster.pid`` when the process that it names is not our server.

    After a crash the number in it may belong to somebody else, and PostgreSQL would then refuse to start.
    """
    path = settings.postgres_dir / "postmaster.pid"
    with suppress(OSError, ValueError):
        pid = int(path.read_text(encoding="utf-8").split()[0])
        if not is_our_postgres(pid, settings):
            path.unlink()


def create_databases(settings: Settings, pool: Executor) -> Future[None]:
    """Create the databases, schemas and tables that are missing.

    Returns
    -------
    Future
        The lake, which is created in the background.
    """
    postgres.bootstrap(settings)
    mlflow_server.prepare_database(settings)
    return pool.submit(lake.bootstrap, settings)


def migrate_airflow(settings: Settings) -> None:
    """Bring Airflow's tables to the installed version.

    Raises
    ------
    CrmAgentsError
        When the migration fails, with the place of its log.
    """
    if is_airflow_current(settings):
        return
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    log = settings.log_dir / "airflow-migrate.log"
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=stack_environment(settings),
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise CrmAgentsError("Airflow's tables could not be brought up to date.", f"The reason stands in {log}.")
    write_private(stamp_file(settings), json.dumps(_stamp(settings)) + "\n")


def is_airflow_current(settings: Settings) -> bool:
    """Compare the stamp of the last migration with the installed Airflow and with what the database says itself.

    A stamp that is not true any more is removed: the scheduler waits for a new one.
    """
    path = stamp_file(settings)
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) == _stamp(settings):
        return True
    path.unlink(missing_ok=True)
    return False


def stamp_file(settings: Settings) -> Path:
    """Return the file that says to which version Airflow's tables were brought."""
    return settings.airflow_dir / MIGRATED


def _stamp(settings: Settings) -> list[str | None]:
    return [version("apache-airflow-core"), _revision(settings)]


def _revision(settings: Settings) -> str | None:
    with postgres.connect("airflow", settings=settings) as connection:
        if connection.execute("select to_regclass('alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else None
