"""Ports: the usual ones, the next free ones when they are taken, the same ones after a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings
from crm_agents.stack import ports


def test_taken_port_is_avoided(settings: Settings, listen: Callable[[int], int]) -> None:
    taken = listen(0)
    chosen = ports.assign_ports(replace(settings, airflow_port=taken))
    assert chosen["airflow"] > taken
    assert ports.is_free(chosen["airflow"])
    assert not ports.is_free(taken)


def test_services_that_wish_for_the_same_port_get_different_ones(
    settings: Settings, listen: Callable[[int], int]
) -> None:
    start = listen(0)
    chosen = ports.assign_ports(replace(settings, postgres_port=start, airflow_port=start, mlflow_port=start))
    assert len(set(chosen.values())) == 3


def test_saved_ports_survive_a_restart(settings: Settings, listen: Callable[[int], int]) -> None:
    taken = listen(0)
    wishes = replace(settings, airflow_port=taken)
    first = ports.assign_ports(wishes)
    assert ports.assign_ports(replace(wishes, airflow_port=first["airflow"] + 50)) == first
    assert ports.read_ports(settings) == first


def test_port_of_our_own_running_service_stays(settings: Settings, listen: Callable[[int], int]) -> None:
    first = ports.assign_ports(settings)
    listen(first["mlflow"])
    assert ports.assign_ports(settings, ours=["mlflow"])["mlflow"] == first["mlflow"]
    assert ports.assign_ports(settings)["mlflow"] != first["mlflow"]


def test_damaged_file_counts_as_none(settings: Settings) -> None:
    settings.run_dir.mkdir(parents=True)
    (settings.run_dir / "ports.json").write_text("[1, 2")
    assert ports.read_ports(settings) == {}


def test_no_free_port_is_told_with_the_way_out(settings: Settings, listen: Callable[[int], int]) -> None:
    last = listen(65535)
    with pytest.raises(CrmAgentsError, match=r"No free port for mlflow.*CRM_AGENTS_MLFLOW_PORT"):
        ports.assign_ports(replace(settings, mlflow_port=last))
