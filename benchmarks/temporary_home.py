"""An installation of its own for a benchmark: PostgreSQL and lake in a temporary folder, gone afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_installation(name: str) -> Iterator[Path]:
    """Start PostgreSQL with empty databases and an empty lake, and point this process to them."""
    from crm_agents import lake, postgres
    from crm_agents.errors import CrmAgentsError
    from crm_agents.settings import load_settings
    from crm_agents.stack import bundled_postgres

    home = Path(tempfile.mkdtemp(prefix=f"crm-agents-{name}-"))
    os.environ["CRM_AGENTS_HOME"] = str(home)
    settings = load_settings()
    bundled_postgres.initialise(settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings.run_dir.mkdir()
    (settings.run_dir / "ports.json").write_text(json.dumps({"postgres": port}))
    with (home / "postgres.log").open("w") as log:
        process = subprocess.Popen(
            bundled_postgres.server_command(settings, port),
            **bundled_postgres.process_owner(),
            stdout=log,
            stderr=log,
            cwd="/",
        )
    try:
        for _ in range(300):
            try:
                postgres.connect("postgres").close()
                break
            except CrmAgentsError:
                time.sleep(0.2)
        postgres.bootstrap(settings)
        lake.bootstrap(settings)
        yield home
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(60)
        shutil.rmtree(home, ignore_errors=True)
