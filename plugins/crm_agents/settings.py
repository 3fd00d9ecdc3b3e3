"""Where this installation keeps its state, and how much of the machine it may use.

Everything lives under ``$CRM_AGENTS_HOME`` (default ``var/`` in the repository). No other module reads the environment.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from crm_agents.errors import CrmAgentsError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """One installation's places and limits (see the environment variables in ``docs/configuration.md``)."""

    home: Path
    external_database_url: str | None
    duckdb_threads: int
    duckdb_memory_limit: str
    model_threads: int
    airflow_url: str | None = None
    postgres_port: int = 5442
    airflow_port: int = 8080
    mlflow_port: int = 5000

    @property
    def secrets_dir(self) -> Path:
        """Generated passwords and keys; the folder is 0700 and every file in it 0600."""
        return self.home / "secrets"

    @property
    def run_dir(self) -> Path:
        """Pids, sockets and the ports in use."""
        return self.home / "run"

    @property
    def log_dir(self) -> Path:
        """One log file for each process of the local stack, and Airflow's task logs."""
        return self.home / "logs"

    @property
    def postgres_dir(self) -> Path:
        """Data folder of the bundled PostgreSQL."""
        return self.home / "postgres"

    @property
    def lake_dir(self) -> Path:
        """Parquet files of the lake."""
        return self.home / "lake"

    @property
    def duckdb_dir(self) -> Path:
        """Extensions and spill files of DuckDB."""
        return self.home / "duckdb"

    @property
    def mlflow_dir(self) -> Path:
        """Model artifacts."""
        return self.home / "mlflow"

    @property
    def airflow_dir(self) -> Path:
        """Airflow's home."""
        return self.home / "airflow"

    @property
    def company_dir(self) -> Path:
        """Copy of the loaded company's folder (company.yml and its SQL), written by ``load``."""
        return self.home / "company"

    @property
    def truth_dir(self) -> Path:
        """Hidden truth of a simulated company: for tests and reports, never for agents."""
        return self.home / "truth"

    @property
    def data_docs_dir(self) -> Path:
        """HTML pages of Great Expectations."""
        return self.home / "data_docs"


def load_settings() -> Settings:
    """Read the environment.

    Returns
    -------
    Settings
        Made anew at each call: cheap, and a test or a task sees the environment that it runs in.
    """
    home = Path(os.environ.get("CRM_AGENTS_HOME") or PROJECT_ROOT / "var").expanduser().resolve()
    return Settings(
        home=home,
        external_database_url=os.environ.get("CRM_AGENTS_DATABASE_URL") or None,
        duckdb_threads=_positive_int("CRM_AGENTS_DUCKDB_THREADS", 2),
        duckdb_memory_limit=os.environ.get("CRM_AGENTS_DUCKDB_MEMORY", "4GB"),
        model_threads=_positive_int("CRM_AGENTS_MODEL_THREADS", 2),
        airflow_url=os.environ.get("CRM_AGENTS_AIRFLOW_URL") or None,
        postgres_port=_positive_int("CRM_AGENTS_POSTGRES_PORT", 5442),
        airflow_port=_positive_int("CRM_AGENTS_AIRFLOW_PORT", 8080),
        mlflow_port=_positive_int("CRM_AGENTS_MLFLOW_PORT", 5000),
    )


def secret(settings: Settings, name: str) -> str:
    """Return the generated secret `name`, creating its 0600 file on first use.

    Parameters
    ----------
    settings : Settings
        Whose home holds the secret.
    name : str
        File name under ``secrets/``, for example ``"postgres_password"``.
    """
    path = settings.secrets_dir / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return path.read_text(encoding="utf-8").strip()


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` so that at no moment anyone but the owner can read it (folder 0700, file 0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    partial.replace(path)


def _positive_int(variable: str, default: int) -> int:
    text = os.environ.get(variable)
    if not text:
        return default
    if not text.isdigit() or int(text) < 1:
        raise CrmAgentsError(f"{variable}={text} is not a positive whole number.", f"Unset it to use {default}.")
    return int(text)
