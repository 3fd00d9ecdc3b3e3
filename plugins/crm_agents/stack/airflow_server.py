"""Talking HTTP to Airflow's api-server: login, patience while it is away, pages, and errors as sentences."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import LOOPBACK, Settings, secret
from crm_agents.stack.airflow_config import USER
from crm_agents.stack.ports import read_ports

if TYPE_CHECKING:
    import httpx

PAGE_ROWS = 100
REQUEST_SECONDS = 30.0
# How long a question is repeated while Airflow or its database restarts.
PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.5


class AirflowServer:
    """The api-server of the local stack, or the one that ``CRM_AGENTS_AIRFLOW_URL`` names.

    Parameters
    ----------
    settings : Settings
        The installation.

    Attributes
    ----------
    url : str
        The server's address.
    """

    def __init__(self, settings: Settings) -> None:
        import httpx

        self.url, self._user, self._password = _address(settings)
        # trust_env: a proxy of the surroundings has no business between us and our own loopback
        self._http = httpx.Client(base_url=self.url, timeout=REQUEST_SECONDS, trust_env=bool(settings.airflow_url))
        self._token: str | None = None

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def pages(self, path: str, key: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every record of a list, which the server gives out in pages under `key`."""
        offset = 0
        while True:
            page = self.json("GET", path, params={**(params or {}), "limit": PAGE_ROWS, "offset": offset})
            yield from page[key]
            offset += PAGE_ROWS
            if offset >= page["total_entries"]:
                return

    def json(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """Ask, and return the answer's JSON object.

        Raises
        ------
        CrmAgentsError
            When the server refuses or does not answer.
        """
        answer = self.answer(method, path, **arguments)
        if answer.is_success:
            return dict(answer.json())
        raise CrmAgentsError(f"Airflow refused {method} {path}: {_detail(answer)}.", "The api-server's log says more.")

    def answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask once; a question (GET) to a server that has answered before is repeated while the server is away."""
        import httpx

        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            is_last = method != "GET" or self._token is None or time.monotonic() > deadline
            try:
                answer = self._authorised(method, path, **arguments)
                if is_last or not answer.is_server_error:
                    return answer
            except httpx.TransportError as error:
                if is_last:
                    raise self._unreachable(error) from error
            time.sleep(RETRY_SECONDS)

    def _authorised(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        self._token = self._token or self._login()
        answer = self._http.request(method, f"/api/v2{path}", headers=self._headers(), **arguments)
        if answer.status_code == 401:  # the token has expired, or the server was set up anew
            self._token = self._login()
            answer = self._http.request(method, f"/api/v2{path}", headers=self._headers(), **arguments)
        return answer

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}

    def _login(self) -> str:
        answer = self._http.post("/auth/token", json={"username": self._user, "password": self._password})
        if answer.status_code != 201:
            raise CrmAgentsError(
                f"Airflow at {self.url} refuses the login of {self._user!r}: {_detail(answer)}.",
                "Check the user and password in CRM_AGENTS_AIRFLOW_URL; without it, `crm-agents up` sets up its own.",
            )
        return str(answer.json()["access_token"])

    def _unreachable(self, error: Exception) -> CrmAgentsError:
        return CrmAgentsError(
            f"Airflow at {self.url} does not answer: {error}.",
            "`crm-agents status` shows what is running; `crm-agents up` starts the local stack.",
        )


def _address(settings: Settings) -> tuple[str, str, str]:
    """Return the server's address, user and password."""
    if settings.airflow_url:
        parts = urlsplit(settings.airflow_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.username:
            raise CrmAgentsError(
                "CRM_AGENTS_AIRFLOW_URL is not an Airflow address.", "Its form is https://USER:PASSWORD@HOST:PORT."
            )
        place = parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")
        return f"{parts.scheme}://{place}", unquote(parts.username), unquote(parts.password or "")
    port = read_ports(settings).get("airflow")
    if port is None:
        raise CrmAgentsError(f"No Airflow is known for {settings.home}.", "Start the local stack with `crm-agents up`.")
    return f"http://{LOOPBACK}:{port}", USER, secret(settings, "airflow_password")


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text.strip()[:200] or answer.reason_phrase
    if isinstance(detail, dict):
        detail = detail.get("reason", detail)
    return f"{detail} (status {answer.status_code})"
