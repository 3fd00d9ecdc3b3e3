"""Processes that nobody supervises any more: found by session or by environment, and ended; others are spared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from crm_agents.settings import Settings
from crm_agents.stack import supervisor
from crm_agents.stack.databases import forget_stale_lock
from crm_agents.stack.environment import COMPONENT_VARIABLE
from crm_agents.stack.leftovers import end_processes, is_marked, leftovers, orphans_of_session

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)
# A child in the session of its parent, which then dies without it.
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); time.sleep(60)"

Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start() -> Iterator[Start]:
    """A function that starts a Python program with extra environment, ended with all its children after the test."""
    started: list[subprocess.Popen] = []

    def run(code: str, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            start_new_session=True,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        for member in psutil.process_iter():
            try:
                if os.getsid(member.pid) == process.pid:
                    member.kill()
            except (OSError, psutil.Error):
                continue
        process.wait(10)


def test_marked_processes_of_this_home_only(settings: Settings, start: Start) -> None:
    home = str(settings.home)
    ours = start(SLEEP, CRM_AGENTS_HOME=home, **{COMPONENT_VARIABLE: "mlflow"})
    other = start(SLEEP, CRM_AGENTS_HOME=f"{home}2", **{COMPONENT_VARIABLE: "mlflow"})
    command = start(SLEEP, CRM_AGENTS_HOME=home)  # a person's own crm-agents command
    found = {process.pid for process in leftovers(settings)}
    assert ours.pid in found
    assert not {other.pid, command.pid, os.getpid()} & found
    assert not is_marked(psutil.Process(command.pid), settings)


def test_children_of_a_killed_parent_are_found_by_their_session(settings: Settings, start: Start) -> None:
    parent = start(PARENT)
    child = _only_child(parent.pid)
    assert orphans_of_session(parent.pid) == []
    parent.kill()
    parent.wait()
    assert orphans_of_session(parent.pid) == [child]
    assert child in leftovers(settings, parent.pid)
    assert end_processes([child]) == 1
    assert not child.is_running()


def test_a_process_that_ignores_the_request_is_killed(start: Start) -> None:
    process = start(STUBBORN)
    assert process.stdout
    process.stdout.readline()
    assert end_processes([psutil.Process(process.pid)], patience=0.3) == 1
    assert not psutil.pid_exists(process.pid)


def test_number_of_a_dead_supervisor_that_was_given_to_somebody_else(settings: Settings, start: Start) -> None:
    other = start(SLEEP)
    settings.run_dir.mkdir(parents=True)
    record = settings.run_dir / "supervisor.json"
    record.write_text(json.dumps({"pid": other.pid, "started": time.time() - 3600}))
    assert supervisor.recorded_session(settings) is None
    record.write_text(json.dumps({"pid": other.pid, "started": psutil.Process(other.pid).create_time()}))
    assert supervisor.recorded_session(settings) == other.pid


def test_stale_lock_of_postgres_is_forgotten(settings: Settings, start: Start) -> None:
    other = start(SLEEP)
    settings.postgres_dir.mkdir(parents=True)
    lock = settings.postgres_dir / "postmaster.pid"
    lock.write_text(f"{other.pid}\n{settings.postgres_dir}\n")
    forget_stale_lock(settings)
    assert not lock.exists()
    forget_stale_lock(settings)


def _only_child(pid: int) -> psutil.Process:
    for _ in range(100):
        if children := psutil.Process(pid).children():
            return children[0]
        time.sleep(0.05)
    raise AssertionError("the child did not start")
