"""Is each component of the local stack doing its work? One probe for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crm_agents import postgres
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import LOOPBACK, Settings
from crm_agents.stack.ports import read_ports

PROBE_SECONDS = 10.0
HEARTBEAT_UNKNOWN = "it runs; whether it works is not known while airflow-api does not answer"

# Names in the answer of /api/v2/monitor/health
AIRFLOW_PARTS = {
    "airflow-scheduler": "scheduler",
    "airflow-dag-processor": "dag_processor",
    "airflow-triggerer": "triggerer",
}


@dataclass
class Prober:
    """Probes components, asking Airflow's health page only once however many of them it tells about."""

    settings: Settings
    _airflow: Mapping[str, Any] | str | None = field(default=None, repr=False)

    def trouble(self, component: str, started_at: float = 0.0) -> str | None:
        """Return why `component` is not healthy yet, or None when it is.

        Parameters
        ----------
        component : str
            One of `crm_agents.stack.control.COMPONENTS`.
        started_at : float
            Unix time at which its process began: an older heartbeat is its predecessor's.
        """
        probes: dict[str, Callable[[], str | None]] = {
            "postgres": self._postgres,
            "airflow-api": self._airflow_api,
            "mlflow": self._mlflow,
        }
        if component in probes:
            return probes[component]()
        return self._heartbeat(AIRFLOW_PARTS[component], started_at)

    def _postgres(self) -> str | None:
        try:
            with postgres.connect("postgres", autocommit=True, settings=self.settings):
                return None
        except CrmAgentsError as error:
            return error.what.rstrip(".")

    def _mlflow(self) -> str | None:
        answer = _get(self._address("mlflow") + "/health")
        return answer if isinstance(answer, str) else None

    def _airflow_api(self) -> str | None:
        health = self._airflow_health()
        if isinstance(health, str):
            return health
        if health.get("metadatabase", {}).get("status") != "healthy":
            return "its database does not answer"
        # What tasks talk to. It is built when it is first asked for, which takes seconds: not those of the first task.
        answer = _get(self._address("airflow") + "/execution/health")
        return answer if isinstance(answer, str) else None

    def _heartbeat(self, part: str, started_at: float) -> str | None:
        health = self._airflow_health()
        if isinstance(health, str):
            return HEARTBEAT_UNKNOWN
        beat = (health.get(part) or {}).get(f"latest_{part}_heartbeat")
        if beat is None or datetime.fromisoformat(beat) < datetime.fromtimestamp(started_at, UTC):
            return "it has not reported since it was started"
        status = health[part].get("status")
        return None if status == "healthy" else f"its last sign of life was at {beat}"

    def _airflow_health(self) -> Mapping[str, Any] | str:
        if self._airflow is None:
            self._airflow = _get(self._address("airflow") + "/api/v2/monitor/health")
        return self._airflow

    def _address(self, service: str) -> str:
        return f"http://{LOOPBACK}:{read_ports(self.settings).get(service, 0)}"


def _get(address: str) -> Mapping[str, Any] | str:
    """Return the answer's JSON object (empty when it is not one), or why there is no good answer."""
    import httpx

    try:
        # trust_env: a proxy of the surroundings has no business between us and our own loopback
        answer = httpx.get(address, timeout=PROBE_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return f"it does not answer yet ({type(error).__name__})"
    if answer.status_code != httpx.codes.OK:
        return f"it answers with status {answer.status_code}"
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return dict(answer.json()) if is_json else {}
