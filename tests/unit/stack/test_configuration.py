"""The generated configuration: nothing but the owner reads it, no password in addresses, loopback everywhere."""

from __future__ import annotations

import configparser
import json
import stat
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from crm_agents.settings import Settings, load_settings, secret
from crm_agents.stack import airflow_config, mlflow_server, supervisor
from crm_agents.stack.control import COMPONENTS
from crm_agents.stack.environment import stack_environment


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def read(path: Path) -> configparser.ConfigParser:
    """Read a configuration file the way its owner does, with interpolation."""
    parser = configparser.ConfigParser()
    parser.read(path)
    return parser


def test_airflow_configuration_is_private(settings_with_ports: Settings) -> None:
    path = airflow_config.write_airflow_config(settings_with_ports, 8080)
    passwords = airflow_config.passwords_file(settings_with_ports)
    assert [mode(path), mode(passwords), mode(path.parent)] == [0o600, 0o600, 0o700]
    assert json.loads(passwords.read_text()) == {"admin": secret(settings_with_ports, "airflow_password")}


def test_airflow_listens_on_loopback_and_knows_no_database_password(settings_with_ports: Settings) -> None:
    config = read(airflow_config.write_airflow_config(settings_with_ports, 8123))
    assert (config["api"]["host"], config["api"]["port"]) == ("127.0.0.1", "8123")
    assert config["core"]["execution_api_server_url"] == "http://127.0.0.1:8123/execution/"
    assert secret(settings_with_ports, "postgres_password") not in config["database"]["sql_alchemy_conn"]
    assert config["core"]["load_examples"] == "False"


def test_airflow_keys_are_stable_and_of_this_installation(settings_with_ports: Settings, tmp_path: Path) -> None:
    first = airflow_config.airflow_options(settings_with_ports, 8080)
    again = airflow_config.airflow_options(settings_with_ports, 8080)
    assert first == again
    for section, key in (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")):
        assert len(first[section][key]) >= 40


def test_overrides_win(settings_with_ports: Settings) -> None:
    settings_with_ports.airflow_dir.mkdir(parents=True)
    (settings_with_ports.airflow_dir / "overrides.cfg").write_text("[core]\nparallelism = 2\n[new]\nkey = value\n")
    config = read(airflow_config.write_airflow_config(settings_with_ports, 8080))
    assert (config["core"]["parallelism"], config["new"]["key"]) == ("2", "value")
    assert config["core"]["executor"] == "LocalExecutor"


def test_home_with_a_percent_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_AGENTS_HOME", str(tmp_path / "100% sure"))
    settings = load_settings()
    settings.run_dir.mkdir(parents=True)
    (settings.run_dir / "ports.json").write_text('{"postgres": 5442, "airflow": 8080, "mlflow": 5000}')
    airflow = read(airflow_config.write_airflow_config(settings, 8080))
    held = _as_supervisor_reads_it(supervisor.write_config(settings, COMPONENTS), settings)
    assert airflow["logging"]["base_log_folder"] == str(settings.log_dir / "tasks")
    assert held["mlflow"] == str(settings.log_dir / "mlflow.log")


def _as_supervisor_reads_it(path: Path, settings: Settings) -> dict[str, str]:
    """Return the log file of each program."""
    settings.log_dir.mkdir(parents=True)
    options = ServerOptions()
    options.realize(["-c", str(path), "-n"])
    return {
        program.name: program.stdout_logfile
        for group in options.process_group_configs
        for program in group.process_configs
    }


def test_mlflow_accounts_are_private_and_apart_from_the_registry(settings_with_ports: Settings) -> None:
    path = mlflow_server.write_auth_config(settings_with_ports)
    options = read(path)["mlflow"]
    assert mode(path) == 0o600
    assert options["admin_password"] == secret(settings_with_ports, "mlflow_password")
    assert options["database_uri"].endswith("/mlflow?options=-csearch_path%3Dauth")
    assert secret(settings_with_ports, "postgres_password") not in options["database_uri"]


def test_supervisor_is_controlled_through_a_private_socket_only(settings_with_ports: Settings) -> None:
    path = supervisor.write_config(settings_with_ports, COMPONENTS)
    config = read(path)
    assert mode(path) == 0o600
    assert "inet_http_server" not in config
    assert config["unix_http_server"]["chmod"] == "0700"
    assert [section for section in config if section.startswith("program:")] == [f"program:{c}" for c in COMPONENTS]
    assert config["program:postgres"]["stopsignal"] == "INT"


def test_socket_of_a_deep_home_fits_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("CRM_AGENTS_HOME", str(deep))
    paths = {supervisor.socket_path(load_settings())}
    monkeypatch.setenv("CRM_AGENTS_HOME", str(deep / "other"))
    paths.add(supervisor.socket_path(load_settings()))
    assert len(paths) == 2
    assert all(len(str(path)) < 100 for path in paths)


def test_environment_of_another_airflow_does_not_leak_in(
    settings_with_ports: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = ("AIRFLOW__CORE__LOAD_EXAMPLES", "AIRFLOW_HOME", "MLFLOW_TRACKING_URI", "PGHOST", "PYTHONPATH")
    for variable in foreign:
        monkeypatch.setenv(variable, "foreign")
    environment = stack_environment(settings_with_ports)
    assert "foreign" not in environment.values()
    assert environment["AIRFLOW_HOME"] == str(settings_with_ports.airflow_dir)


def test_environment_holds_no_password_and_no_telemetry(settings_with_ports: Settings) -> None:
    environment = stack_environment(settings_with_ports)
    assert secret(settings_with_ports, "postgres_password") not in "".join(environment.values())
    assert mode(Path(environment["PGPASSFILE"])) == 0o600
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["GX_ANALYTICS_ENABLED"] == environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
