"""The MLflow server of the local stack, in one process and behind a login.

``mlflow server`` does the same in two processes. One is better here: half the memory and start-up time, and a killed
server leaves no child behind that holds the port.
"""

from __future__ import annotations

import configparser
import io
from pathlib import Path

from crm_agents import postgres
from crm_agents.settings import LOOPBACK, Settings, load_settings, secret, write_private
from crm_agents.stack.ports import read_ports

USER = "admin"
AUTH_SCHEMA = "auth"


def write_auth_config(settings: Settings) -> Path:
    """Write the 0600 file that configures MLflow's login.

    The accounts live in a schema of their own in the database ``mlflow``, so that neither table names nor migrations
    of the accounts can meet those of the registry.
    """
    parser = configparser.RawConfigParser()
    parser["mlflow"] = {
        # Whoever can log in may read; only the administrator, whom the agents act as, may write.
        "default_permission": "READ",
        # psycopg2 passes the option to the server: unqualified names mean the schema auth
        "database_uri": f"{postgres.sqlalchemy_url('mlflow', settings=settings)}?options=-csearch_path%3D{AUTH_SCHEMA}",
        "admin_username": USER,
        "admin_password": secret(settings, "mlflow_password"),
        # Checking a password costs tens of milliseconds; the accounts of this server do not change behind its back.
        "auth_cache_ttl_seconds": "60",
    }
    text = io.StringIO()
    parser.write(text)
    path = settings.secrets_dir / "mlflow_auth.ini"
    write_private(path, text.getvalue().replace("%", "%%"))
    return path


def server_environment(settings: Settings) -> dict[str, str]:
    """Return what the server reads from its environment, beside the environment of the stack.

    The names that begin with an underscore are those by which ``mlflow server`` tells its own child process.
    """
    return {
        "_MLFLOW_SERVER_FILE_STORE": postgres.sqlalchemy_url("mlflow", settings=settings),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": artifact_root(settings),
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_AUTH_CONFIG_PATH": str(write_auth_config(settings)),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret(settings, "mlflow_flask_key"),
        # These serve language models, and would add three processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
    }


def prepare_database(settings: Settings) -> None:
    """Create the schema of the accounts in the database ``mlflow``."""
    with postgres.connect("mlflow", settings=settings) as connection:
        connection.execute(f"create schema if not exists {AUTH_SCHEMA}")


def artifact_root(settings: Settings) -> str:
    """Return where new experiments keep their files: plain files, read by the server and by tasks alike."""
    return settings.mlflow_dir.as_uri()


def main() -> None:
    """Serve until told to stop (``python -m crm_agents.stack.mlflow_server``, started by `launch`)."""
    import uvicorn
    from mlflow.store.db import utils as database

    settings = load_settings()
    settings.mlflow_dir.mkdir(parents=True, exist_ok=True)
    engine = database.create_sqlalchemy_engine_with_retry(postgres.sqlalchemy_url("mlflow", settings=settings))
    if database._is_empty_database(engine):
        database._initialize_tables(engine)
    else:
        database._upgrade_db(engine)
    engine.dispose()
    port = read_ports(settings)["mlflow"]
    uvicorn.run("mlflow.server.auth:create_app", factory=True, host=LOOPBACK, port=port, access_log=False)


if __name__ == "__main__":
    main()
