"""Which TCP ports the local stack listens on: the usual ones, or the next free ones, remembered across restarts."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Collection

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import LOOPBACK, Settings

PORT_ATTEMPTS = 200


def preferred_ports(settings: Settings) -> dict[str, int]:
    """Return the port that each service takes when nobody else holds it; a PostgreSQL of one's own has its port already."""
    ports = {"airflow": settings.airflow_port, "mlflow": settings.mlflow_port}
    return ports if settings.external_database_url else {"postgres": settings.postgres_port, **ports}


def read_ports(settings: Settings) -> dict[str, int]:
    """Return the ports of the last start; empty before the first one or when the file is damaged."""
    try:
        saved = json.loads((settings.run_dir / "ports.json").read_text(encoding="utf-8"))
        return {name: int(port) for name, port in saved.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def assign_ports(settings: Settings, ours: Collection[str] = ()) -> dict[str, int]:
    """Choose and save the ports for a start.

    Parameters
    ----------
    settings : Settings
        Whose ports; the saved ones are kept while they are free, so that bookmarks and clients keep working.
    ours : collection of str
        Services that are running already: their saved port is taken by ourselves and stays.

    Returns
    -------
    dict of str to int
        Port of each service, as saved in ``run/ports.json``.

    Raises
    ------
    CrmAgentsError
        When no free port was found.
    """
    saved = read_ports(settings)
    chosen: dict[str, int] = {name: saved[name] for name in ours if name in saved}
    for name, preferred in preferred_ports(settings).items():
        if name not in chosen:
            first = saved.get(name, preferred)
            chosen[name] = first if _is_usable(first, chosen) else _next_free(name, preferred, chosen)
    _save(settings, chosen)
    return chosen


def is_free(port: int) -> bool:
    """Tell whether a server of ours could listen on `port` of the loopback interface now."""
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT after our own last stop counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _is_usable(port: int, chosen: dict[str, int]) -> bool:
    return port not in chosen.values() and is_free(port)


def _next_free(name: str, preferred: int, chosen: dict[str, int]) -> int:
    last = min(preferred + PORT_ATTEMPTS, 65535)
    for port in range(preferred, last + 1):
        if _is_usable(port, chosen):
            return port
    raise CrmAgentsError(
        f"No free port for {name} between {preferred} and {last} on {LOOPBACK}.",
        f"Free one of them, or set CRM_AGENTS_{name.upper()}_PORT to the start of a free range.",
    )


def _save(settings: Settings, chosen: dict[str, int]) -> None:
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    partial = settings.run_dir / f"ports.json.{os.getpid()}.partial"
    partial.write_text(json.dumps(chosen, indent=2) + "\n", encoding="utf-8")
    partial.replace(settings.run_dir / "ports.json")
