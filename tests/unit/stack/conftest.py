"""Settings of an installation whose home folder is empty."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm_agents.settings import Settings, load_settings
from crm_agents.stack.ports import assign_ports


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation on which nothing has been started yet."""
    monkeypatch.setenv("CRM_AGENTS_HOME", str(tmp_path / "home"))
    for variable in ("DATABASE_URL", "AIRFLOW_URL", "POSTGRES_PORT", "AIRFLOW_PORT", "MLFLOW_PORT"):
        monkeypatch.delenv(f"CRM_AGENTS_{variable}", raising=False)
    return load_settings()


@pytest.fixture
def settings_with_ports(settings: Settings) -> Settings:
    """The same after ports were chosen, so that addresses are known."""
    assign_ports(settings)
    return settings


@pytest.fixture
def listen() -> Iterator[Callable[[int], int]]:
    """A function that holds a port of the loopback interface (0: any) until the test ends, and returns it."""
    held: list[socket.socket] = []

    def hold(port: int = 0) -> int:
        holder = socket.socket()
        held.append(holder)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        return int(holder.getsockname()[1])

    yield hold
    for holder in held:
        holder.close()
