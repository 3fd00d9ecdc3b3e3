"""A PostgreSQL of one's own (CRM_AGENTS_DATABASE_URL): used like the bundled one, never started nor stopped by us."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest

from crm_agents import ingest, lake, postgres
from crm_agents.loading import load
from crm_agents.settings import Settings, load_settings
from crm_agents.stack import control
from crm_agents.stack.leftovers import leftovers


@pytest.fixture
def foreign(installation: Path, postgres_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home of its own whose databases are to be made on somebody else's server."""
    with postgres.connect("postgres", autocommit=True) as admin:
        for database in ("crm", "lake"):
            admin.execute(f"alter database {database} rename to {database}_{uuid.uuid4().hex}")
    password = (postgres_home / "secrets" / "postgres_password").read_text().strip()
    port = json.loads((postgres_home / "run" / "ports.json").read_text())["postgres"]
    monkeypatch.setenv("CRM_AGENTS_HOME", str(tmp_path / "other home"))
    monkeypatch.setenv(
        "CRM_AGENTS_DATABASE_URL", f"postgresql://{postgres.BUNDLED_USER}:{quote(password, safe='')}@127.0.0.1:{port}"
    )
    return load_settings()


def test_databases_are_made_used_and_left_running(foreign: Settings) -> None:
    assert control.up(foreign, ["postgres"]) == []  # nothing to start
    report = load("simulated", customers=200, seed=3)
    assert report.rows_used > 1000
    assert ingest.run(run_id="first").moved
    with postgres.connect() as crm, lake.connect() as connection:
        orders = crm.execute("select count(*) from crm.orders").fetchone()
        assert connection.execute("select count(*) from raw.orders").fetchone() == orders
    assert "postgres" not in [entry.name for entry in control.status(foreign)]

    assert control.down(foreign) == 0
    assert leftovers(foreign) == []
    with postgres.connect("postgres") as still:
        assert still.execute("select 1").fetchone() == (1,)
    assert not foreign.postgres_dir.exists()


def test_the_password_stands_in_the_passfile_only(foreign: Settings) -> None:
    control.up(foreign, ["postgres"])
    password = postgres.server(foreign).password
    holding = [path for path in foreign.home.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert holding == [foreign.secrets_dir / "pgpass"]
    assert foreign.secrets_dir.joinpath("pgpass").stat().st_mode & 0o777 == 0o600
