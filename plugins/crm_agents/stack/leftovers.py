"""Processes of this installation that nobody supervises any more, and how to end them.

Two marks tell them: the session that supervisor was started in (children inherit it, and it cannot be reused while one
of them lives), and the environment variables of the stack (readable unless the process forbade it).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from crm_agents.settings import Settings
from crm_agents.stack.environment import COMPONENT_VARIABLE

TERM_SECONDS = 5.0


def orphans_of_session(session: int) -> list[psutil.Process]:
    """Return the processes of a session whose parent is outside of it: children of a component that was killed."""
    members = {process.pid: process for process in _members(session)}
    return [
        process
        for pid, process in members.items()
        if pid not in {session, os.getpid()} and _parent(process) not in members
    ]


def leftovers(settings: Settings, session: int | None = None) -> list[psutil.Process]:
    """Return every process of this installation's stack, but not the one that asks nor its parents.

    Parameters
    ----------
    settings : Settings
        Whose home the processes must work on.
    session : int, optional
        Session of the last supervisor; its processes count even where their environment cannot be read.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    members = {process.pid for process in _members(session)} if session else set()
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in spared and (process.pid in members or is_marked(process, settings))
    ]


def is_marked(process: psutil.Process, settings: Settings) -> bool:
    """Tell whether `process` carries the environment of a component of this installation."""
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return is_our_postgres(process.pid, settings)
    return COMPONENT_VARIABLE in environment and environment.get("CRM_AGENTS_HOME") == str(settings.home)


def is_our_postgres(pid: int, settings: Settings) -> bool:
    """Tell whether `pid` is the bundled server of this installation (its environment may belong to another account)."""
    try:
        command = psutil.Process(pid).cmdline()
    except (psutil.Error, OSError):
        return False
    return any(Path(word).name == "postgres" for word in command[:1]) and str(settings.postgres_dir) in command


def end_processes(processes: Iterable[psutil.Process], patience: float = TERM_SECONDS) -> int:
    """Ask processes to end, then end those that did not within `patience` seconds.

    PostgreSQL is asked with INT: at TERM it would wait for its clients.

    Returns
    -------
    int
        How many there were.
    """
    asked = [process for process in processes if _signal(process, _ask)]
    _gone, alive = psutil.wait_procs(asked, timeout=patience)
    for process in alive:
        _signal(process, psutil.Process.kill)
    psutil.wait_procs(alive, timeout=patience)
    return len(asked)


def _ask(process: psutil.Process) -> None:
    process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)


def _signal(process: psutil.Process, send: Callable[[psutil.Process], None]) -> bool:
    try:
        send(process)
    except psutil.Error:
        return False
    return True


def _members(session: int) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _session_of(process) == session]


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None
