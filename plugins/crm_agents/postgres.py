"""Connections to PostgreSQL, and the schemas that crm-agents keeps there.

Passwords never travel in connection strings: a 0600 passfile under the home folder holds them, and every client
(psycopg, DuckDB, Airflow, MLflow) is a libpq client that reads it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import LOOPBACK, Settings, load_settings, secret, write_private

if TYPE_CHECKING:
    import psycopg

BUNDLED_USER = "crm_agents"
DATABASES = ("crm", "airflow", "mlflow", "lake")
# The bundled server does not wait for the disk at each commit; what people and agents write is worth the wait.
DURABLE = ("crm", "lake")
DDL_DIR = Path(__file__).parent / "ddl"


@dataclass(frozen=True)
class Server:
    """Address of a PostgreSQL server."""

    host: str
    port: int
    user: str
    password: str


def server(settings: Settings | None = None) -> Server:
    """Return the address of the PostgreSQL in use: ``CRM_AGENTS_DATABASE_URL``, or else the bundled one.

    Raises
    ------
    CrmAgentsError
        When the URL is malformed, or the bundled server has not been started yet.
    """
    settings = settings or load_settings()
    if settings.external_database_url:
        return _parse_url(settings.external_database_url)
    ports = settings.run_dir / "ports.json"
    if not ports.exists():
        raise CrmAgentsError(
            f"No PostgreSQL is known for {settings.home}.", "Start the local stack with `crm-agents up` (or `make up`)."
        )
    port = int(json.loads(ports.read_text(encoding="utf-8"))["postgres"])
    return Server(LOOPBACK, port, BUNDLED_USER, secret(settings, "postgres_password"))


def _parse_url(url: str) -> Server:
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname or not parts.username:
        raise CrmAgentsError(
            "CRM_AGENTS_DATABASE_URL is not a PostgreSQL address.", "Its form is postgresql://USER:PASSWORD@HOST:PORT."
        )
    password = unquote(parts.password or "")
    return Server(parts.hostname, parts.port or 5432, unquote(parts.username), password)


def passfile(settings: Settings | None = None) -> Path:
    """Write (when it changed) and return the libpq passfile of the server in use, mode 0600."""
    settings = settings or load_settings()
    address = server(settings)
    escaped = [field.replace("\\", "\\\\").replace(":", "\\:") for field in (address.user, address.password)]
    line = f"{address.host}:{address.port}:*:{escaped[0]}:{escaped[1]}\n"
    path = settings.secrets_dir / "pgpass"
    if not path.exists() or path.read_text(encoding="utf-8") != line:
        write_private(path, line)
    return path


def conninfo(database: str, settings: Settings | None = None) -> str:
    """Return the libpq connection string of `database`, without a password in it.

    Parameters
    ----------
    database : str
        One of `DATABASES`, or ``"postgres"``.
    """
    settings = settings or load_settings()
    address = server(settings)
    return (
        f"host={address.host} port={address.port} user={address.user} dbname={database} "
        f"passfile={_escape(str(passfile(settings)))} application_name=crm-agents"
    )


def _escape(value: str) -> str:
    """Return `value` as libpq reads it in a connection string, where a space would end it."""
    return re.sub(r"([\\\s'])", r"\\\1", value)


def sqlalchemy_url(database: str, driver: str = "psycopg2", settings: Settings | None = None) -> str:
    """Return the SQLAlchemy URL of `database`, without a password in it; ``PGPASSFILE`` must be set for its user."""
    address = server(settings)
    return f"postgresql+{driver}://{address.user}@{address.host}:{address.port}/{database}"


def connect(database: str = "crm", *, autocommit: bool = False, settings: Settings | None = None) -> psycopg.Connection:
    """Open a connection to `database`.

    Raises
    ------
    CrmAgentsError
        When the server cannot be reached or refuses the login.
    """
    import psycopg

    settings = settings or load_settings()
    try:
        connection = psycopg.connect(conninfo(database, settings), autocommit=autocommit, connect_timeout=10)
    except psycopg.OperationalError as error:
        address = server(settings)
        reason = str(error).strip().splitlines()[0].rpartition("failed: ")[2]
        raise CrmAgentsError(
            f"PostgreSQL at {address.host}:{address.port} does not let us into database {database!r}: {reason}.",
            "`crm-agents status` shows what is running; `crm-agents up` starts the local stack.",
        ) from error
    connection.execute("set time zone 'UTC'")
    if not autocommit:
        connection.commit()
    return connection


def bootstrap(settings: Settings | None = None) -> None:
    """Create what is missing: the databases, and in ``crm`` the schemas crm, crm_ai and bi with their tables.

    Safe to call at every start: each statement leaves alone what is there.
    """
    settings = settings or load_settings()
    with connect("postgres", autocommit=True, settings=settings) as admin:
        present = {row[0] for row in admin.execute("select datname from pg_database")}
        for database in DATABASES:
            if database not in present:
                admin.execute(f'create database "{database}"')
        if not settings.external_database_url:
            for database in DURABLE:
                admin.execute(f'alter database "{database}" set synchronous_commit = on')
    with connect("crm", settings=settings) as crm:
        crm.execute("select pg_advisory_xact_lock(hashtext('crm_agents.bootstrap'))")
        for script in sorted(DDL_DIR.glob("*.sql")):
            crm.execute(script.read_bytes())
