"""Airflow's configuration file: generated, mode 0600, because it holds Airflow's keys."""

from __future__ import annotations

import base64
import configparser
import hashlib
import io
import json
from pathlib import Path

from crm_agents import postgres
from crm_agents.settings import LOOPBACK, Settings, secret, write_private
from crm_agents.stack.environment import dags_folder, plugins_folder

USER = "admin"


def write_airflow_config(settings: Settings, port: int) -> Path:
    """Write ``airflow.cfg`` and the login's password file.

    Settings of your own go to ``airflow/overrides.cfg`` under the home folder; they win over ours.

    Returns
    -------
    Path
        The written ``airflow.cfg``.
    """
    # Airflow would create this file readable by everyone; when it is there, Airflow leaves it as it is.
    write_private(passwords_file(settings), json.dumps({USER: secret(settings, "airflow_password")}) + "\n")
    parser = configparser.RawConfigParser()
    parser.read_dict(airflow_options(settings, port))
    parser.read(settings.airflow_dir / "overrides.cfg", encoding="utf-8")
    text = io.StringIO()
    parser.write(text)
    path = settings.airflow_dir / "airflow.cfg"
    write_private(path, text.getvalue())
    return path


def passwords_file(settings: Settings) -> Path:
    """Return the file that holds the login of Airflow's user interface and API."""
    return settings.secrets_dir / "airflow_passwords.json"


def airflow_options(settings: Settings, port: int) -> dict[str, dict[str, str]]:
    """Return every option that differs from Airflow's default, by section."""
    address = f"http://{LOOPBACK}:{port}"
    sections = {
        "core": {**_core(settings), "execution_api_server_url": f"{address}/execution/"},
        # Without a password: libpq and asyncpg read it from the passfile that PGPASSFILE names.
        "database": {"sql_alchemy_conn": postgres.sqlalchemy_url("airflow", settings=settings)},
        "api": {
            "host": LOOPBACK,
            "port": str(port),
            "base_url": address,
            "workers": "1",
            "secret_key": secret(settings, "airflow_api_secret_key"),
        },
        "api_auth": {"jwt_secret": _jwt_secret(settings)},
        "scheduler": _scheduler(),
        "dag_processor": _dag_processor(),
        "logging": _logging(settings),
        "email": {"default_email_on_failure": "False", "default_email_on_retry": "False"},
    }
    return {
        section: {key: value.replace("%", "%%") for key, value in options.items()}
        for section, options in sections.items()
    }


def _core(settings: Settings) -> dict[str, str]:
    return {
        "dags_folder": str(dags_folder()),
        "plugins_folder": str(plugins_folder()),
        "executor": "LocalExecutor",
        "parallelism": "4",
        # fork, so that tasks inherit the libraries that the scheduler imported (see warm.py)
        "mp_start_method": "fork",
        "load_examples": "False",
        "default_timezone": "utc",
        "dags_are_paused_at_creation": "False",
        # Two runs of one DAG at a time would write the same tables: the second one waits its turn.
        "max_active_runs_per_dag": "1",
        "max_active_tasks_per_dag": "4",
        "min_serialized_dag_update_interval": "2",
        "hostname_callable": "socket.gethostname",
        "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "simple_auth_manager_users": f"{USER}:admin",
        "simple_auth_manager_passwords_file": str(passwords_file(settings)),
        "fernet_key": _fernet_key(settings),
    }


def _scheduler() -> dict[str, str]:
    return {
        "catchup_by_default": "False",
        # The default of 1 s is what a chain of short tasks waits for at every step; the loop itself takes some 20 ms.
        "scheduler_idle_sleep_time": "0.1",
        # A task whose process died (power cut, kill -9) is noticed after a minute instead of five.
        "task_instance_heartbeat_timeout": "60",
        "enable_health_check": "False",
    }


def _dag_processor() -> dict[str, str]:
    return {
        # A new or changed DAG file shows within seconds; unchanged files are looked at again rarely.
        "refresh_interval": "5",
        "bundle_refresh_check_interval": "2",
        "min_file_process_interval": "60",
        "parsing_processes": "2",
    }


def _logging(settings: Settings) -> dict[str, str]:
    return {
        "base_log_folder": str(settings.log_dir / "tasks"),
        "dag_processor_child_process_log_directory": str(settings.log_dir / "dag_processor"),
        # Task logs can quote rows of the CRM.
        "file_task_handler_new_folder_permissions": "0o700",
        "file_task_handler_new_file_permissions": "0o600",
        "colored_console_log": "False",
    }


def _fernet_key(settings: Settings) -> str:
    digest = hashlib.sha256(secret(settings, "airflow_fernet_seed").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _jwt_secret(settings: Settings) -> str:
    """Return 64 bytes in hexadecimal: HS512, which Airflow signs with, wants a key as long as its digest."""
    return hashlib.sha512(secret(settings, "airflow_jwt_seed").encode()).hexdigest()
