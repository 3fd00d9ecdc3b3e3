"""Supervisor (PyPI), which holds the processes of the local stack: its configuration, its start, and talking to it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings, write_private
from crm_agents.stack.environment import COMPONENT_VARIABLE, stack_environment

# Longest path that fits a unix socket address, less what supervisor appends to it while it binds.
SOCKET_PATH_LIMIT = 90
START_SECONDS = 15
ENDED_STATES = {"STOPPED", "EXITED", "FATAL", "UNKNOWN"}

CONTROL = """\
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
nodaemon = true
directory = /
umask = 077
logfile = {logs}/supervisor.log
logfile_maxbytes = 5MB
logfile_backups = 2
pidfile = {run}/supervisor.pid
childlogdir = {logs}
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# Started by `up` in the order that they need each other; from then on restarted whenever they end.
PROGRAM = """
[program:{name}]
command = "{python}" -m crm_agents.stack.launch {name}
autostart = false
autorestart = true
startsecs = 2
startretries = 20
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
stopasgroup = {as_group}
killasgroup = true
priority = {priority}
redirect_stderr = true
stdout_logfile = {program_logs}/{name}.log
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 2
"""


def write_config(settings: Settings, components: tuple[str, ...]) -> Path:
    """Write ``run/supervisord.conf`` (0600) for `components`, named in the order in which they start."""
    root = "user = root\n" if os.geteuid() == 0 else ""
    places = {
        "logs": _escape(settings.log_dir),
        # Supervisor expands percent signs in this option twice.
        "program_logs": _escape(_escape(settings.log_dir)),
        "run": _escape(settings.run_dir),
    }
    text = CONTROL.format(socket=_escape(socket_path(settings)), user=root, **places)
    for position, name in enumerate(components):
        database = name == "postgres"
        text += PROGRAM.format(
            name=name,
            python=_escape(Path(sys.executable)),
            # PostgreSQL: INT ends sessions and shuts down cleanly, TERM would wait for clients
            stop_signal="INT" if database else "TERM",
            stop_seconds=60 if database else 15,
            as_group="false",
            priority=10 + position,
            **places,
        )
    path = settings.run_dir / "supervisord.conf"
    write_private(path, text)
    return path


def socket_path(settings: Settings) -> Path:
    """Return where supervisor listens: in ``run/``, or for a deep home folder in a private folder under /tmp."""
    path = settings.run_dir / "supervisor.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"crm-agents-{os.geteuid()}-{digest}" / "supervisor.sock"


def start(settings: Settings, components: tuple[str, ...]) -> None:
    """Start supervisor in a session of its own, holding `components`, none of them started.

    Raises
    ------
    CrmAgentsError
        When it does not come up, with its last words.
    """
    config = write_config(settings, components)
    _private_folder(socket_path(settings).parent)
    settings.log_dir.mkdir(parents=True, exist_ok=True)
    settings.log_dir.chmod(0o700)
    output = settings.log_dir / "supervisor.out"
    with output.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
            env=stack_environment(settings) | {COMPONENT_VARIABLE: "supervisor"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    _remember(settings, process.pid)
    deadline = time.monotonic() + START_SECONDS
    while not is_answering(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            raise CrmAgentsError(
                f"The process supervisor did not start: {_last_line(output)}.", f"Its log is {output}."
            )
        time.sleep(0.05)


def _remember(settings: Settings, pid: int) -> None:
    record = {"pid": pid, "started": psutil.Process(pid).create_time()}
    write_private(settings.run_dir / "supervisor.json", json.dumps(record) + "\n")


def recorded_session(settings: Settings) -> int | None:
    """Return the session id of the last supervisor, unless that number belongs to somebody else by now."""
    try:
        record = json.loads((settings.run_dir / "supervisor.json").read_text(encoding="utf-8"))
        pid, started = int(record["pid"]), float(record["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        reused = abs(psutil.Process(pid).create_time() - started) > 1
    except psutil.Error:
        reused = False
    return None if reused else pid


@contextmanager
def client(settings: Settings) -> Iterator[Any]:
    """Open supervisor's control interface (its XML-RPC methods, over the unix socket).

    Raises
    ------
    CrmAgentsError
        When supervisor does not answer or refuses the call.
    """
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(serverurl=f"unix://{socket_path(settings)}")
    proxy = ServerProxy("http://127.0.0.1", transport=transport)
    try:
        yield proxy.supervisor
    except (OSError, Fault) as error:
        raise CrmAgentsError(
            f"The process supervisor of {settings.home} refused: {error}.",
            f"Its log is {settings.log_dir}/supervisor.log.",
        ) from error
    finally:
        transport.close()


def is_answering(settings: Settings) -> bool:
    """Tell whether a supervisor runs for this home."""
    try:
        with client(settings) as supervisor:
            return bool(supervisor.getPID())
    except CrmAgentsError:
        return False


def process_info(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return supervisor's record of each component (state, pid, start, exit status), empty when it does not run."""
    try:
        with client(settings) as supervisor:
            return {record["name"]: record for record in supervisor.getAllProcessInfo()}
    except CrmAgentsError:
        return {}


def start_components(settings: Settings, components: Sequence[str]) -> None:
    """Start components without waiting for them; those that run already are left alone."""
    from supervisor.xmlrpc import Faults

    with client(settings) as supervisor:
        for name in components:
            try:
                supervisor.startProcess(name, False)
            except Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    raise


def stop_components(settings: Settings, components: Sequence[str], tell: Callable[[str, str], None]) -> None:
    """Stop components, all of them at once, and wait until they ended (supervisor kills those that will not)."""
    with client(settings) as supervisor:
        for name in components:
            tell(name, "stopping")
            supervisor.stopProcess(name, False)
        waiting = list(components)
        while waiting:
            time.sleep(0.1)
            for name in [n for n in waiting if supervisor.getProcessInfo(n)["statename"] in ENDED_STATES]:
                tell(name, "stopped")
                waiting.remove(name)


def shut_down(settings: Settings) -> None:
    """End supervisor itself."""
    with client(settings) as supervisor:
        process = psutil.Process(supervisor.getPID())
        supervisor.shutdown()
    with suppress(psutil.Error):
        process.wait(START_SECONDS)


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise CrmAgentsError(
            f"{folder} belongs to another user.", "Set CRM_AGENTS_HOME to a folder with a shorter path."
        )
    folder.chmod(0o700)


def _escape(path: Path | str) -> str:
    return str(path).replace("%", "%%")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return next((line for line in lines if line.startswith("Error")), lines[-1] if lines else "it said nothing")
