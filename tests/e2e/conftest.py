"""The whole local stack, started once for all end-to-end tests."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crm_agents.run import Chain
from crm_agents.settings import PROJECT_ROOT, Settings, load_settings

E2E_DIR = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the end-to-end tests last, so that the stack does not run beside the others."""
    items.sort(key=lambda item: E2E_DIR in item.path.parents)


@pytest.fixture(scope="session")
def taken_port() -> Iterator[int]:
    """The port that Airflow would like to have, held by somebody else."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield int(holder.getsockname()[1])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, taken_port: int) -> Iterator[Settings]:
    """The running stack with a home of its own; ``CRM_AGENTS_HOME`` points there until the session ends.

    Airflow reads the DAGs of the repository and those of ``tests/e2e/dags``.
    """
    from crm_agents.stack import control

    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("stack") / "home"
        patch.setenv("CRM_AGENTS_HOME", str(home))
        patch.setenv("CRM_AGENTS_AIRFLOW_PORT", str(taken_port))
        patch.setenv("CRM_AGENTS_POSTGRES_PORT", str(min(taken_port + 300, 65_000)))
        patch.setenv("CRM_AGENTS_MLFLOW_PORT", str(min(taken_port + 600, 65_200)))
        patch.delenv("CRM_AGENTS_DATABASE_URL", raising=False)
        patch.delenv("CRM_AGENTS_AIRFLOW_URL", raising=False)
        _add_dags_of_the_tests(home)
        settings = load_settings()
        try:
            control.up(settings)
            yield settings
        finally:
            control.down(settings)
        assert processes_of(settings) == []


@pytest.fixture(scope="session")
def first_chain(stack: Settings) -> Chain:
    """The simulated company (small), loaded and run once."""
    from crm_agents.airflow_api import AirflowClient
    from crm_agents.loading import load
    from crm_agents.run import run_chain

    load("simulated", customers=2_000, seed=7)
    with AirflowClient(stack) as client:
        chain = run_chain(client, tell=lambda *_: None)
    assert chain.is_success, [(run.dag_id, run.state, run.failures) for run in chain.runs]
    return chain


def processes_of(settings: Settings) -> list[str]:
    """Return the command lines of all processes that carry this installation's home in their environment or arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            is_ours = process.environ().get("CRM_AGENTS_HOME") == str(settings.home)
        except (psutil.Error, OSError):
            continue
        is_asking = process.pid == os.getpid() or os.getpid() in [parent.pid for parent in process.parents()]
        if not is_asking and (is_ours or any(str(settings.home) in word for word in command)):
            found.append(" ".join(command))
    return found


def _add_dags_of_the_tests(home: Path) -> None:
    folders = {"dags-folder": PROJECT_ROOT / "dags", "stack-tests": E2E_DIR / "dags"}
    bundles = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(path), "refresh_interval": 5},
        }
        for name, path in folders.items()
    ]
    (home / "airflow").mkdir(parents=True)
    text = f"[dag_processor]\ndag_bundle_config_list = {json.dumps(bundles)}\n"
    (home / "airflow" / "overrides.cfg").write_text(text)
