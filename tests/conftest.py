"""Fixtures that every test level shares: a home folder of its own and a real PostgreSQL with a real lake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

PROJECT_ROOT = Path(__file__).resolve().parents[1]
DATA_DIRS = [
    Path(p) for p in os.environ.get("CRM_AGENTS_DATA", str(PROJECT_ROOT.parent / "shared" / "data")).split(":")
]


def real_data(name: str) -> Path:
    """Return the folder of a public data set, or skip the test and say which folder is missing."""
    for folder in DATA_DIRS:
        if (folder / name).is_dir():
            return folder / name
    pytest.skip(f"public data folder {name!r} is not there (looked in {', '.join(map(str, DATA_DIRS))})")


def free_port() -> int:
    """Return a port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """A home folder whose bundled PostgreSQL runs for the whole session (databases are made by `installation`)."""
    from crm_agents import postgres
    from crm_agents.settings import load_settings
    from crm_agents.stack import bundled_postgres

    # Not pytest's own temporary folder: another session would clear that one away while this server runs.
    home = Path(tempfile.mkdtemp(prefix="crm-agents-test-"))
    os.environ["CRM_AGENTS_HOME"] = str(home)
    settings = load_settings()
    bundled_postgres.initialise(settings)
    port = free_port()
    settings.run_dir.mkdir()
    (settings.run_dir / "ports.json").write_text(json.dumps({"postgres": port}))
    log = (home / "postgres.log").open("w")
    command = [*bundled_postgres.server_command(settings, port), "-c", "fsync=off"]
    process = subprocess.Popen(command, **bundled_postgres.process_owner(), stdout=log, stderr=log, cwd="/")
    try:
        _wait_for(port, process, home / "postgres.log")
        postgres.bootstrap(settings)
        with postgres.connect("postgres", autocommit=True, settings=settings) as admin:
            admin.execute("alter database crm rename to crm_template")
        yield home
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: what is thrown away needs no shutdown checkpoint
        process.wait(30)
        shutil.rmtree(home, ignore_errors=True)


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    from crm_agents.stack import bundled_postgres

    ready = [str(bundled_postgres.binary("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(port)]
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        if subprocess.run(ready, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def installation(postgres_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty installation: fresh databases, lake and home folder on the session's PostgreSQL."""
    from crm_agents import lake, postgres
    from crm_agents.settings import load_settings

    monkeypatch.setenv("CRM_AGENTS_HOME", str(tmp_path / "home"))
    settings = load_settings()
    for folder in ("run", "secrets"):
        (settings.home / folder).mkdir(parents=True, mode=0o700)
    for file in ("run/ports.json", "secrets/postgres_password"):
        (settings.home / file).write_bytes((postgres_home / file).read_bytes())
    with postgres.connect("postgres", autocommit=True) as admin:
        _disconnect(admin)
        _set_aside(admin, "crm", "lake")
        admin.execute("create database crm template crm_template")
    postgres.bootstrap()
    lake.bootstrap()
    return settings.home


def _disconnect(admin: psycopg.Connection) -> None:
    """End the connections that the test before left open: MLflow keeps some for every installation that it has seen."""
    admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )


def _set_aside(admin: psycopg.Connection, *databases: str) -> None:
    """Rename the databases of the test before: dropping them would cost a checkpoint each."""
    for database in databases:
        while admin.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = %s", (database,)
        ).fetchone() != (0,):
            time.sleep(0.02)
        if admin.execute("select 1 from pg_database where datname = %s", (database,)).fetchone():
            admin.execute(f"alter database {database} rename to {database}_{uuid.uuid4().hex}")
