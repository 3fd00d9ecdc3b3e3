"""The environment that the processes of the local stack run in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crm_agents import postgres
from crm_agents.settings import PROJECT_ROOT, Settings

# Settings of another Airflow, MLflow or PostgreSQL on this machine must not leak into ours.
FOREIGN_PREFIXES = ("AIRFLOW", "_AIRFLOW", "MLFLOW_", "_MLFLOW", "PG", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")

# Set for every component to its name, so that its processes can be told from a user's own commands.
COMPONENT_VARIABLE = "CRM_AGENTS_COMPONENT"

NO_TELEMETRY = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}


def stack_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of every process of the local stack, hence of every task.

    It holds no password: ``PGPASSFILE`` names the 0600 file that does.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_PREFIXES)}
    program_folder = str(Path(sys.executable).parent)
    threads = str(settings.model_threads)
    return {
        **kept,
        **NO_TELEMETRY,
        "CRM_AGENTS_HOME": str(settings.home),
        "AIRFLOW_HOME": str(settings.airflow_dir),
        "PGPASSFILE": str(postgres.passfile(settings)),
        "PATH": os.pathsep.join([program_folder, os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # Process titles must not overwrite the environment block: leftovers of this home are found by it.
        "SPT_NOENV": "1",
    }


def dags_folder() -> Path:
    """Return the folder of the DAG files."""
    return PROJECT_ROOT / "dags"


def plugins_folder() -> Path:
    """Return the folder of Airflow plugins (``.airflowignore`` hides the package ``crm_agents`` in it)."""
    return PROJECT_ROOT / "plugins"
