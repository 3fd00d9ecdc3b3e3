"""How the components of the local stack are, in words."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import LOOPBACK, Settings
from crm_agents.stack import supervisor
from crm_agents.stack.health import HEARTBEAT_UNKNOWN, Prober
from crm_agents.stack.leftovers import leftovers
from crm_agents.stack.ports import read_ports

ADDRESSES = {
    "postgres": ("postgres", "{host}:{port}"),
    "airflow-api": ("airflow", "http://{host}:{port}"),
    "mlflow": ("mlflow", "http://{host}:{port}"),
}
GIVEN_UP_AFTER_STARTS = 4
# What supervisor notes as exit status of a process that a signal ended.
KILLED = -1
START_SECONDS = 180
FULL_DISK_BYTES = 20 * 2**20
WORDS_OF_FAILURE = ("error", "fatal", "no space left", "refused", "denied", "in use", "killed")


@dataclass(frozen=True)
class ComponentStatus:
    """How one component is.

    ``state`` is healthy, starting, failed, unknown or down; ``detail`` says why when it is not healthy.
    """

    name: str
    state: str
    detail: str = ""
    pid: int | None = None
    address: str | None = None
    log: Path | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether the component does its work."""
        return self.state == "healthy"


def component_statuses(settings: Settings, components: Sequence[str]) -> list[ComponentStatus]:
    """Return how each of `components` is now."""
    records = supervisor.process_info(settings)
    prober = Prober(settings)
    if not records:
        return _without_supervisor(settings, components)
    return [_one(settings, name, records.get(name, {}), prober) for name in components]


def _without_supervisor(settings: Settings, components: Sequence[str]) -> list[ComponentStatus]:
    orphans = leftovers(settings, supervisor.recorded_session(settings))
    detail = "the stack is not running: `crm-agents up` starts it"
    if orphans:
        detail = (
            f"its supervisor was killed and {len(orphans)} processes are left over: `crm-agents down` ends them, "
            "`crm-agents up` starts anew"
        )
    return [ComponentStatus(name, "down", detail, log=log_file(settings, name)) for name in components]


def _one(settings: Settings, name: str, record: Mapping[str, Any], prober: Prober) -> ComponentStatus:
    state, pid = record.get("statename", "STOPPED"), record.get("pid") or None
    entry = ComponentStatus(name, "down", pid=pid, address=_address(settings, name), log=log_file(settings, name))
    if state in {"STOPPED", "STOPPING"}:
        return replace(entry, detail="it was not started: `crm-agents up` starts it")
    was_killed = record.get("exitstatus") == KILLED
    if state not in {"RUNNING", "STARTING"}:
        why = "it was killed" if was_killed else f"it ended: {last_words(settings, name)}"
        return replace(entry, state="failed", detail=f"{why}; supervisor starts it again")
    trouble = prober.trouble(name, float(record["start"]))
    if trouble is None:
        return replace(entry, state="healthy")
    if trouble == HEARTBEAT_UNKNOWN:
        return replace(entry, state="unknown", detail=trouble)
    if was_killed:
        trouble = f"it was killed and is starting again ({trouble})"
    is_young = time.time() - record["start"] < START_SECONDS
    return replace(entry, state="starting" if is_young else "failed", detail=trouble)


def _address(settings: Settings, name: str) -> str | None:
    if name not in ADDRESSES:
        return None
    service, form = ADDRESSES[name]
    port = read_ports(settings).get(service)
    return form.format(host=LOOPBACK, port=port) if port else None


def log_file(settings: Settings, component: str) -> Path:
    """Return where a component's output goes."""
    return settings.log_dir / f"{component}.log"


def is_given_up(entry: ComponentStatus, pids_seen: Collection[int]) -> bool:
    """Tell whether waiting longer is pointless: the component ends again and again, or could not be started."""
    return entry.state == "down" or len(set(pids_seen) - {0}) >= GIVEN_UP_AFTER_STARTS


def failure(settings: Settings, entry: ComponentStatus) -> CrmAgentsError:
    """Return the error that says which component failed, why, and where to read more."""
    reason = entry.detail if entry.state == "down" else last_words(settings, entry.name)
    return CrmAgentsError(
        f"{entry.name} did not become healthy: {reason.rstrip('.')}.",
        f"Its log is {entry.log}; `crm-agents doctor` looks at the surroundings.",
    )


def last_words(settings: Settings, component: str) -> str:
    """Return the line of a component's log that says best why it ended."""
    free = shutil.disk_usage(settings.home).free
    if free < FULL_DISK_BYTES:
        return f"the disk that holds {settings.home} is full ({free // 2**20} MB are free)"
    path = log_file(settings, component)
    text = path.read_text(encoding="utf-8", errors="replace")[-20_000:] if path.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines[-40:] if any(word in line.lower() for word in WORDS_OF_FAILURE)]
    return (telling or lines or ["it said nothing"])[-1]
