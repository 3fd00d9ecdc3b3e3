"""Run a DAG, or the whole chain that follows from it, through the Airflow scheduler, and watch it to the end."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from crm_agents.airflow_api import AirflowClient
from crm_agents.settings import load_settings

FINISHED = ("success", "failed")
POLL_SECONDS = 0.5
# How long an asset event may take to become a run of the DAG that waits for it.
HANDOVER_SECONDS = 60.0
SETTLE_SECONDS = 2.0
ASSET_TRIGGERED = "asset_triggered__"  # how Airflow begins the ids of such runs

Tell = Callable[[str, str], None]


@dataclass
class RunOfDag:
    """One DAG run of a chain as last seen."""

    dag_id: str
    run_id: str
    state: str = "queued"
    tasks: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, well or badly."""
        return self.state in FINISHED


@dataclass
class Chain:
    """A DAG run and every run that followed from the assets that it made fresh."""

    runs: list[RunOfDag]
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether every run of the chain succeeded."""
        return all(run.state == "success" for run in self.runs)


def run_chain(client: AirflowClient, *, as_of: date | None = None, tell: Tell) -> Chain:
    """Trigger ``ingest_crm`` and follow everything that its assets start, until nothing more starts.

    The chain runs to its end even when nothing is new in the CRM: whoever asks for a run wants its results.
    """
    conf = {"publish": "always", **({"as_of": as_of.isoformat()} if as_of else {})}
    return _follow(client, "ingest_crm", conf, tell, is_chain=True)


def run_dag(client: AirflowClient, dag_id: str, *, as_of: date | None = None, tell: Tell) -> Chain:
    """Trigger one DAG and follow that run only."""
    return _follow(client, dag_id, {"as_of": as_of.isoformat()} if as_of else {}, tell, is_chain=False)


@contextmanager
def one_at_a_time(on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold this installation's run lock; call `on_wait` once when another run has it."""
    settings = load_settings()
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    with (settings.run_dir / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _follow(client: AirflowClient, dag_id: str, conf: dict[str, Any], tell: Tell, *, is_chain: bool) -> Chain:
    started = time.monotonic()
    client.unpause_all() if is_chain else client.unpause(dag_id)
    runs = {(dag_id, run_id): RunOfDag(dag_id, run_id) for run_id in [client.trigger(dag_id, conf)]}
    handed_over: dict[tuple[str, str], float] = {}
    quiet_since = None
    while quiet_since is None or time.monotonic() - quiet_since < (SETTLE_SECONDS if is_chain else 0):
        time.sleep(POLL_SECONDS)
        for run in [run for run in runs.values() if not run.is_finished]:
            _refresh(client, run)
            tell(run.dag_id, _progress(run, client.url))
            quiet_since = None
        is_waiting = is_chain and _add_followers(client, runs, handed_over)
        if is_chain and not is_waiting and all(run.is_finished for run in runs.values()):
            _add_neighbours(client, runs)
        if is_waiting or not all(run.is_finished for run in runs.values()):
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
    return Chain(list(runs.values()), time.monotonic() - started)


def _refresh(client: AirflowClient, run: RunOfDag) -> None:
    seen = client.dag_run(run.dag_id, run.run_id)
    run.tasks = client.task_instances(run.dag_id, run.run_id)
    run.state, run.seconds = seen.state, seen.seconds
    if run.state == "failed":
        failed = [task for task in run.tasks if task["state"] == "failed"]
        run.failures = [f"{task['task_id']}: {client.failure_reason(run.dag_id, run.run_id, task)}" for task in failed]


def _progress(run: RunOfDag, url: str) -> str:
    if run.state == "success":
        return "done"
    if run.state == "failed":
        return "failed: " + "; ".join(run.failures)
    asking = [task["task_id"] for task in run.tasks if task["state"] == "awaiting_input"]
    if asking:
        place = f"{url}/dags/{run.dag_id}/runs/{run.run_id}/tasks/{asking[0]}/required_actions"
        return f"waits for a person to approve or reject: {place}"
    working = [task["task_id"] for task in run.tasks if task["state"] in ("running", "queued", "scheduled")]
    ended = sum(task["state"] in ("success", "skipped", "failed", "upstream_failed") for task in run.tasks)
    return f"{ended} of {len(run.tasks)} tasks, {', '.join(working[:3]) or 'waiting for its turn'}"


def _add_followers(
    client: AirflowClient, runs: dict[tuple[str, str], RunOfDag], handed_over: dict[tuple[str, str], float]
) -> bool:
    """Add the runs that finished runs have started; tell whether one of them is still to come."""
    is_waiting = False
    for key, run in list(runs.items()):
        if run.state != "success" or handed_over.get(key) == -1:
            continue
        first_seen = handed_over.setdefault(key, time.monotonic())
        events = client.asset_events(run.dag_id, run.run_id)
        for follower in (follower for event in events for follower in event.created_runs):
            runs.setdefault(follower, RunOfDag(*follower))
        expected = {dag_id for event in events for dag_id in event.consumers}
        missing = expected - {follower[0] for event in events for follower in event.created_runs}
        if any(_is_busy(client, dag_id) for dag_id in missing):
            handed_over[key] = time.monotonic()  # one run of a DAG at a time: ours comes after the present one
            is_waiting = True
        elif missing and time.monotonic() - first_seen < HANDOVER_SECONDS:
            is_waiting = True
        else:
            handed_over[key] = -1
    return is_waiting


def _add_neighbours(client: AirflowClient, runs: dict[tuple[str, str], RunOfDag]) -> None:
    """Add the runs under way that assets started elsewhere: the watcher's chain may have been quicker with a part of the work."""
    for run in client.runs(active=True):
        if run.run_id.startswith(ASSET_TRIGGERED):
            runs.setdefault((run.dag_id, run.run_id), RunOfDag(run.dag_id, run.run_id))


def _is_busy(client: AirflowClient, dag_id: str) -> bool:
    return any(run.state in ("running", "queued") for run in client.runs(dag_id))
