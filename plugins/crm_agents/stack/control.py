"""Bring the local stack up, take it down, and say how it is."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO

import psutil

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, load_settings
from crm_agents.stack import supervisor
from crm_agents.stack.airflow_config import write_airflow_config
from crm_agents.stack.bundled_postgres import initialise
from crm_agents.stack.databases import (
    create_databases,
    forget_stale_lock,
    is_airflow_current,
    migrate_airflow,
)
from crm_agents.stack.leftovers import end_processes, leftovers
from crm_agents.stack.ports import assign_ports
from crm_agents.stack.report import ComponentStatus, component_statuses, failure, is_given_up

COMPONENTS = ("postgres", "mlflow", "airflow-scheduler", "airflow-api", "airflow-dag-processor", "airflow-triggerer")
# These reach out to Airflow's tables as soon as they start; the scheduler first imports libraries, then waits for them.
NEED_AIRFLOW_TABLES = ("airflow-api", "airflow-dag-processor", "airflow-triggerer")
SERVICES = {"postgres": "postgres", "airflow-api": "airflow", "mlflow": "mlflow"}
HEALTHY_SECONDS = 600
ENDING_SECONDS = 3.0  # for processes that outlive their supervisor by a moment
LEAST_FREE_BYTES = 500 * 2**20

Progress = Callable[[str, str], None]


def up(
    settings: Settings | None = None, components: Sequence[str] | None = None, progress: Progress | None = None
) -> list[ComponentStatus]:
    """Start what is not running and wait until every part is healthy; a second call changes nothing.

    Parameters
    ----------
    settings : Settings, optional
        The installation; read from the environment by default.
    components : sequence of str, optional
        Some of `COMPONENTS` (``("postgres",)`` is enough to load a company); all by default.
    progress : callable, optional
        Called with the name of a component or step and what is happening to it.

    Returns
    -------
    list of ComponentStatus
        Of the components asked for.

    Raises
    ------
    CrmAgentsError
        Naming the component that did not become healthy, why, and where its log is.
    """
    settings = settings or load_settings()
    tell = progress or (lambda _name, _text: None)
    wanted = _wanted(settings, components)
    # Personal data lie in it; as root, `initialise` lets PostgreSQL's account pass through, not look.
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_at_a_time(settings, tell):
        missing = [name for name in wanted if name not in _running(settings)]
        if missing:
            _bring_up(settings, missing, tell)
        elif not wanted:  # only the database was asked for, and it is a server of one's own
            _create_databases(settings, tell)
        _wait_until_healthy(settings, wanted, tell)
    return component_statuses(settings, wanted)


def down(settings: Settings | None = None, progress: Progress | None = None) -> int:
    """Stop everything that this installation runs, supervised or left over, and leave no process.

    Returns
    -------
    int
        How many processes were found without a supervisor.
    """
    settings = settings or load_settings()
    tell = progress or (lambda _name, _text: None)
    if not settings.home.exists():
        return 0
    with _one_at_a_time(settings, tell):
        if supervisor.is_answering(settings):
            order = [name for name in reversed(COMPONENTS) if name in _running(settings)]
            # All at once, but the database only after its clients.
            for group in ([name for name in order if name != "postgres"], ["postgres"]):
                supervisor.stop_components(settings, [name for name in group if name in order], tell)
            supervisor.shut_down(settings)
        return _end_leftovers(settings, tell)


def status(settings: Settings | None = None) -> list[ComponentStatus]:
    """Return how each component is, in the order in which they start."""
    settings = settings or load_settings()
    return component_statuses(settings, _wanted(settings, None))


def check_disk(settings: Settings, least_free: int = LEAST_FREE_BYTES) -> None:
    """Refuse to start on a disk that is about to be full: databases stop in the middle of their work there.

    Raises
    ------
    CrmAgentsError
        When fewer than `least_free` bytes are free where the home folder lies.
    """
    free = shutil.disk_usage(settings.home).free
    if free < least_free:
        raise CrmAgentsError(
            f"The disk that holds {settings.home} is full: {free // 2**20} MB are free, "
            f"{least_free // 2**20} MB needed.",
            "Free some space there, or set CRM_AGENTS_HOME to a folder on another disk.",
        )


def _wanted(settings: Settings, components: Sequence[str] | None) -> list[str]:
    unknown = set(components or ()) - set(COMPONENTS)
    if unknown:
        raise CrmAgentsError(
            f"No component {', '.join(sorted(unknown))} in the local stack.", f"There are {', '.join(COMPONENTS)}."
        )
    return [name for name in _supervised(settings) if components is None or name in components or name == "postgres"]


def _supervised(settings: Settings) -> tuple[str, ...]:
    return tuple(name for name in COMPONENTS if name != "postgres" or not settings.external_database_url)


def _running(settings: Settings) -> set[str]:
    records = supervisor.process_info(settings)
    return {name for name, record in records.items() if record["statename"] in {"RUNNING", "STARTING", "BACKOFF"}}


def _bring_up(settings: Settings, missing: Collection[str], tell: Progress) -> None:
    check_disk(settings)
    if not supervisor.is_answering(settings):
        _end_leftovers(settings, tell)
    running = _running(settings)
    ports = assign_ports(settings, ours=[SERVICES[name] for name in running if name in SERVICES])
    if "postgres" in missing:
        tell("postgres", "creating its data folder" if not settings.postgres_dir.exists() else "starting")
        initialise(settings)
        forget_stale_lock(settings)
    if not supervisor.is_answering(settings):
        supervisor.start(settings, _supervised(settings))
    if "postgres" in missing:
        supervisor.start_components(settings, ["postgres"])
        _wait_until_healthy(settings, ["postgres"], tell)
    others = [name for name in COMPONENTS if name in missing and name != "postgres"]
    if any(name.startswith("airflow") for name in others):
        write_airflow_config(settings, ports["airflow"])
    _start_with_databases(settings, others, tell)


def _create_databases(settings: Settings, tell: Progress) -> None:
    tell("databases", "creating what is missing")
    with ThreadPoolExecutor() as pool:
        create_databases(settings, pool).result()
    tell("databases", "healthy")


def _start_with_databases(settings: Settings, components: Sequence[str], tell: Progress) -> None:
    """Create and migrate the databases, while those components start that need not wait for it."""
    tell("databases", "creating what is missing")
    with ThreadPoolExecutor() as pool:
        lake_ready = create_databases(settings, pool)
        needs_airflow = any(name.startswith("airflow") for name in components)
        migration = None
        if needs_airflow and not is_airflow_current(settings):
            tell("databases", "creating Airflow's tables")
            migration = pool.submit(migrate_airflow, settings)
        early = [name for name in components if name not in NEED_AIRFLOW_TABLES]
        supervisor.start_components(settings, early)
        if migration:
            migration.result()
        supervisor.start_components(settings, [name for name in components if name not in early])
        lake_ready.result()
    tell("databases", "healthy")


def _wait_until_healthy(settings: Settings, components: Sequence[str], tell: Progress) -> None:
    waiting, pids = list(components), {name: set[int]() for name in components}
    deadline = time.monotonic() + HEALTHY_SECONDS
    while waiting:
        for entry in component_statuses(settings, waiting):
            tell(entry.name, entry.detail if entry.state in {"failed", "down"} else entry.state)
            pids[entry.name].add(entry.pid or 0)
            if entry.is_healthy:
                waiting.remove(entry.name)
            elif is_given_up(entry, pids[entry.name]) or time.monotonic() > deadline:
                raise failure(settings, entry)
        if waiting:
            time.sleep(0.25)


def _end_leftovers(settings: Settings, tell: Progress) -> int:
    found = leftovers(settings, supervisor.recorded_session(settings))
    _gone, staying = psutil.wait_procs(found, timeout=ENDING_SECONDS)  # the others were on their way out
    if staying:
        noun = "process" if len(staying) == 1 else "processes"
        tell("leftovers", f"ending {len(staying)} {noun} that nobody supervises any more")
    return end_processes(staying)


@contextmanager
def _one_at_a_time(settings: Settings, tell: Progress) -> Iterator[None]:
    """Hold this installation's lock, so that two commands at once do not start or stop the same things."""
    settings.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.run_dir / "control.lock").open("w") as lock:
        _take(lock, tell)
        yield


def _take(lock: IO[str], tell: Progress) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell("waiting", "another crm-agents command is starting or stopping this stack")
        fcntl.flock(lock, fcntl.LOCK_EX)
