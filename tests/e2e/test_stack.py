"""The real stack: closed to strangers, quiet about secrets, and back on its feet after a kill."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import pytest

from crm_agents import postgres
from crm_agents.airflow_api import AirflowClient
from crm_agents.settings import Settings, load_settings, secret
from crm_agents.stack import control, supervisor
from crm_agents.stack.health import Prober
from crm_agents.stack.leftovers import leftovers
from crm_agents.stack.ports import read_ports

pytestmark = pytest.mark.stack

PATIENCE_SECONDS = 240
T = TypeVar("T")
WEB = httpx.Client(timeout=60, trust_env=False)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def address(stack: Settings, service: str) -> str:
    """Return the address of one of the stack's web servers."""
    return f"http://127.0.0.1:{read_ports(stack)[service]}"


def stack_processes(stack: Settings) -> list[psutil.Process]:
    """Return every process of the running stack."""
    session = supervisor.recorded_session(stack)
    assert session
    return [psutil.Process(session), *psutil.Process(session).children(recursive=True)]


def test_everything_is_healthy(stack: Settings) -> None:
    assert [(entry.name, entry.state) for entry in control.status(stack)] == [
        (c, "healthy") for c in control.COMPONENTS
    ]


def test_a_taken_port_was_avoided(stack: Settings, taken_port: int) -> None:
    assert stack.airflow_port == taken_port
    assert read_ports(stack)["airflow"] != taken_port


def test_second_up_changes_nothing(stack: Settings) -> None:
    before = {entry.name: entry.pid for entry in control.status(stack)}
    ports = read_ports(stack)
    assert {entry.name: entry.pid for entry in control.up(stack)} == before
    assert read_ports(stack) == ports


@pytest.mark.parametrize("path", ["/api/v2/dags", "/api/v2/connections", "/api/v2/config", "/ui/dags", "/ui/config"])
def test_airflow_asks_for_a_login(stack: Settings, path: str) -> None:
    base = address(stack, "airflow")
    assert WEB.get(base + path).status_code == 401
    login = {"username": "admin", "password": secret(stack, "airflow_password")}
    token = WEB.post(f"{base}/auth/token", json=login).json()["access_token"]
    answer = WEB.get(base + path, headers={"Authorization": f"Bearer {token}"})
    # Airflow shows its configuration to nobody ([api] expose_config): known, but forbidden.
    assert answer.status_code == (403 if path == "/api/v2/config" else 200)


def test_airflow_refuses_a_wrong_password(stack: Settings) -> None:
    answer = WEB.post(address(stack, "airflow") + "/auth/token", json={"username": "admin", "password": "admin"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/", "/ajax-api/2.0/mlflow/experiments/search?max_results=5", "/api/2.0/mlflow/experiments/search?max_results=5"],
)
def test_mlflow_asks_for_a_login(stack: Settings, path: str) -> None:
    url = address(stack, "mlflow") + path
    assert WEB.get(url).status_code == 401
    assert WEB.get(url, auth=("admin", "password1234")).status_code == 401
    assert WEB.get(url, auth=("admin", secret(stack, "mlflow_password"))).status_code == 200


def test_mlflow_refuses_foreign_host_names(stack: Settings) -> None:
    answer = WEB.get(
        address(stack, "mlflow") + "/api/2.0/mlflow/experiments/search?max_results=5",
        headers={"Host": "evil.example"},
        auth=("admin", secret(stack, "mlflow_password")),
    )
    assert answer.status_code == 403


def test_accounts_and_registry_of_mlflow_are_apart(stack: Settings) -> None:
    query = "select table_schema from information_schema.tables where table_name = %s"
    with postgres.connect("mlflow", settings=stack) as connection:
        assert connection.execute(query, ["users"]).fetchall() == [("auth",)]
        assert connection.execute(query, ["registered_models"]).fetchall() == [("public",)]


def test_nothing_listens_beyond_loopback(stack: Settings) -> None:
    listening = {
        connection.laddr
        for connections in _of_each_process(stack, lambda process: process.net_connections("inet"))
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }
    assert {place.port for place in listening} == set(read_ports(stack).values())
    assert {place.ip for place in listening} == {"127.0.0.1"}


def test_only_the_owner_reads_secrets_logs_and_configuration(stack: Settings) -> None:
    for folder in (stack.secrets_dir, stack.run_dir, stack.log_dir, stack.airflow_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    files = [*stack.secrets_dir.iterdir(), *stack.airflow_dir.glob("*.cfg"), stack.run_dir / "supervisord.conf"]
    files = [path for path in files if path.name != "overrides.cfg"]
    assert len(files) > 8
    assert {path: oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == dict.fromkeys(files, "0o600")
    assert stat.S_IMODE(supervisor.socket_path(stack).stat().st_mode) == 0o700


def test_no_secret_on_a_command_line_or_in_a_log(stack: Settings) -> None:
    secrets = [path.read_text().strip() for path in stack.secrets_dir.iterdir() if path.suffix == ""]
    secrets = [text for text in secrets if ":" not in text]
    assert len(secrets) > 4
    commands = _command_lines(stack)
    logs = [path.read_text(errors="replace") for path in stack.log_dir.glob("*.log")]
    for text in (*commands, *logs):
        assert not any(word in text for word in secrets)


def test_task_finds_libraries_imported_and_they_compute(stack: Settings) -> None:
    with AirflowClient(stack) as client:
        run_id = client.trigger("probe_warm_worker")
        wait_for(lambda: client.dag_run("probe_warm_worker", run_id).state in ("success", "failed"), "no end")
        tasks = client.task_instances("probe_warm_worker", run_id)
        assert [task["state"] for task in tasks] == ["success"], client.log_lines("probe_warm_worker", run_id, tasks[0])
    found = _returned(stack, "probe_warm_worker", run_id, "look")
    assert set(found["imported"].values()) == {True}
    # An edited module of ours must count at the next task: only the starters themselves may be loaded already.
    assert set(found["own_modules"]) <= {
        "crm_agents.stack",
        "crm_agents.stack.warm",
        "crm_agents.stack.airflow_process",
        "crm_agents.parsed_project",
    }
    assert found["duckdb"] == found["arrow"] == 499_999_500_000
    assert min(found["boosted"], found["linear"]) > 0.9
    assert found["product"] == pytest.approx(1.0, abs=0.05)


def test_why_a_task_failed(stack: Settings) -> None:
    with AirflowClient(stack) as client:
        run_id = client.trigger("probe_failure", run_id="failing")
        wait_for(lambda: client.dag_run("probe_failure", run_id).state == "failed", "no end")
        reasons = {
            task["task_id"]: client.failure_reason("probe_failure", run_id, task)
            for task in client.task_instances("probe_failure", run_id)
        }
        assert [run.run_id for run in client.runs("probe_failure")] == ["failing"]
    assert reasons["sentence"] == "Table crm.orders is empty. Load a company."
    assert reasons["error"] == "ValueError: wrong value"
    assert "terminated by signal" in reasons["killed"]


@pytest.mark.parametrize("killed", [("mlflow", "airflow-scheduler"), ("postgres",)])
def test_a_killed_component_is_named_and_comes_back(stack: Settings, killed: tuple[str, ...]) -> None:
    before = {entry.name: entry for entry in control.status(stack)}
    for component in killed:
        pid = before[component].pid
        assert pid
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: set(killed) <= set(_troubled(stack)), f"the loss of {killed} was not noticed")
    wait_for(lambda: not _troubled(stack), f"{killed} did not come back")
    after = {entry.name: entry for entry in control.status(stack)}
    for component in killed:
        assert after[component].pid != before[component].pid
        assert after[component].address == before[component].address
    workers = [command for command in _command_lines(stack) if "LocalExecutor" in command]
    assert len(workers) <= 4


def test_stack_without_supervisor(tmp_path: Path, stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second installation beside the first; its supervisor is killed; `down` still leaves nothing."""
    monkeypatch.setenv("CRM_AGENTS_HOME", str(tmp_path / "second"))
    second = load_settings()
    try:
        (entry,) = control.up(second, ["postgres"])
        assert entry.is_healthy
        assert read_ports(second)["postgres"] != read_ports(stack)["postgres"]
        session = supervisor.recorded_session(second)
        assert session
        os.kill(session, signal.SIGKILL)
        psutil.Process(session).wait(10)
        wait_for(lambda: "supervisor was killed" in control.status(second)[0].detail, "the loss was not noticed")
        (entry,) = control.up(second, ["postgres"])  # ends what is left over and starts anew
        assert entry.is_healthy
    finally:
        control.down(second)
    assert leftovers(second, supervisor.recorded_session(second)) == []
    assert Prober(second).trouble("postgres") is not None
    assert not _troubled(stack)


def _command_lines(stack: Settings) -> list[str]:
    return _of_each_process(stack, lambda process: " ".join(process.cmdline()))


def _of_each_process(stack: Settings, read: Callable[[psutil.Process], T]) -> list[T]:
    """Read something of each process of the stack; one that ends meanwhile (a zombie too) is passed over."""
    found = []
    for process in stack_processes(stack):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(read(process))
    return found


def _troubled(stack: Settings) -> list[str]:
    return [entry.name for entry in control.status(stack) if not entry.is_healthy]


def _returned(stack: Settings, dag_id: str, run_id: str, task_id: str) -> dict:
    with postgres.connect("airflow", settings=stack) as connection:
        row = connection.execute(
            "select value from xcom where (dag_id, run_id, task_id, key) = (%s, %s, %s, 'return_value')",
            [dag_id, run_id, task_id],
        ).fetchone()
    assert row
    return dict(row[0])
