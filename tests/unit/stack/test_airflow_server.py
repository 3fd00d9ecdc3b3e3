"""The address of Airflow, and sentences for what goes wrong before it answers."""

from __future__ import annotations

import pytest

from crm_agents.airflow_api import AirflowClient, _log_lines
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, load_settings
from crm_agents.stack.ports import assign_ports


def test_local_address(settings_with_ports: Settings) -> None:
    with AirflowClient(settings_with_ports) as client:
        assert client.url == f"http://127.0.0.1:{assign_ports(settings_with_ports)['airflow']}"


def test_before_the_first_start(settings: Settings) -> None:
    with pytest.raises(CrmAgentsError, match="No Airflow is known"):
        AirflowClient(settings)


def test_remote_address_keeps_its_path_and_hides_the_login(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_AGENTS_AIRFLOW_URL", "https://bob:p%40ss@airflow.example:8443/team/")
    assert AirflowClient().url == "https://airflow.example:8443/team"


@pytest.mark.parametrize("url", ["airflow.example", "ftp://a:b@c", "https://airflow.example"])
def test_malformed_address(settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CRM_AGENTS_AIRFLOW_URL", url)
    with pytest.raises(CrmAgentsError, match="CRM_AGENTS_AIRFLOW_URL is not an Airflow address"):
        AirflowClient(load_settings())


def test_airflow_that_does_not_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_AGENTS_AIRFLOW_URL", "http://a:b@127.0.0.1:1")
    with AirflowClient() as client, pytest.raises(CrmAgentsError, match=r"does not answer.*`crm-agents up`"):
        client.is_dag_known("ingest_crm")


def test_log_lines_tell_the_exception_and_its_cause() -> None:
    entry = {
        "event": "Task failed with exception",
        "error_detail": [
            {"exc_type": "CrmAgentsError", "exc_value": "Table orders is empty. Load it."},
            {"exc_type": "KeyError", "exc_value": "'orders'"},
        ],
    }
    lines = list(_log_lines(entry))
    assert lines[0] == "Task failed with exception"
    assert lines[1].endswith("Table orders is empty. Load it.")
    assert lines[2] == "caused by KeyError: 'orders'"
