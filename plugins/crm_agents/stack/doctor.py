"""What may be wrong with an installation, looked at one thing after the other."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil

from crm_agents import postgres
from crm_agents.company import loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import PROJECT_ROOT, Settings
from crm_agents.stack import supervisor
from crm_agents.stack.ports import is_free, preferred_ports, read_ports

GIB = 2**30
LOCK_FILE = PROJECT_ROOT / "requirements.txt"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, and how to mend it when it is not well."""

    subject: str
    level: Literal["ok", "note", "problem"]
    text: str
    mend: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, in the order in which things depend on each other."""
    checks: tuple[Callable[[Settings], Finding], ...] = (
        check_python,
        check_packages,
        check_installer,
        check_disk,
        check_memory,
        check_ports,
        check_postgres,
        check_company,
    )
    for check in checks:
        yield check(settings)


def check_python(_settings: Settings) -> Finding:
    """Python 3.11 or 3.12: what the lock file was resolved for."""
    found = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    if sys.version_info[:2] in {(3, 11), (3, 12)}:
        return Finding("Python", "ok", found)
    return Finding(
        "Python", "problem", f"{found} is not supported", "Install Python 3.11 or 3.12, then `make clean up`."
    )


def check_packages(_settings: Settings, lock: Path = LOCK_FILE) -> Finding:
    """Every package of the lock file, in its version."""
    if not lock.exists():
        return Finding("Packages", "problem", f"{lock} is missing", "Restore it, or write it anew with `make lock`.")
    pinned = dict(pinned_versions(lock))
    wrong = sorted(name for name, version in pinned.items() if _installed(name) != version)
    if not wrong:
        return Finding("Packages", "ok", f"all {len(pinned)} of {lock.name} are installed")
    shown = ", ".join(f"{name} ({_installed(name) or 'missing'}, wanted {pinned[name]})" for name in wrong[:5])
    more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
    return Finding("Packages", "problem", f"not as pinned: {shown}{more}", "`make setup` puts them right.")


def check_installer(_settings: Settings) -> Finding:
    """Uv or pip, which `make` installs with."""
    if uv := shutil.which("uv"):
        return Finding("Installer", "ok", f"uv ({uv})")
    return Finding("Installer", "ok", "pip (uv, when it is installed, is faster)")


def check_disk(settings: Settings) -> Finding:
    """Space where the home folder lies or will lie."""
    free = shutil.disk_usage(_existing(settings.home)).free
    text = f"{free / GIB:.1f} GB are free for {settings.home}"
    if free < GIB:
        return Finding("Disk", "problem", text, "Free some space, or set CRM_AGENTS_HOME to a folder on another disk.")
    if free < 5 * GIB:
        return Finding("Disk", "note", text, "Enough for the small companies; 5 GB are comfortable.")
    return Finding("Disk", "ok", text)


def check_memory(_settings: Settings) -> Finding:
    """Memory for the stack (1.5 GB) and for a run."""
    memory = psutil.virtual_memory()
    text = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GB are available"
    if memory.total < 3.5 * GIB:
        return Finding("Memory", "note", text, "The stack takes 1.5 GB; set CRM_AGENTS_DUCKDB_MEMORY=1GB.")
    return Finding("Memory", "ok", text)


def check_ports(settings: Settings) -> Finding:
    """Ports of the running stack, or those that the next start would like to have."""
    if supervisor.is_answering(settings):
        held = ", ".join(f"{name} {port}" for name, port in read_ports(settings).items())
        return Finding("Ports", "ok", f"in use by the stack: {held}")
    wished = {**preferred_ports(settings), **read_ports(settings)}
    taken = [f"{name} {port}" for name, port in wished.items() if not is_free(port)]
    if taken:
        return Finding(
            "Ports", "note", f"taken by other programs: {', '.join(taken)}", "The next free ones will be used."
        )
    return Finding("Ports", "ok", "free: " + ", ".join(f"{name} {port}" for name, port in wished.items()))


def check_postgres(settings: Settings) -> Finding:
    """The server that holds everything."""
    try:
        address = postgres.server(settings)
        with postgres.connect("postgres", autocommit=True, settings=settings) as connection:
            version = connection.info.server_version // 10_000
    except CrmAgentsError as error:
        should_run = bool(settings.external_database_url) or supervisor.is_answering(settings)
        return Finding("PostgreSQL", "problem" if should_run else "note", error.what, error.way_out or "")
    return Finding("PostgreSQL", "ok", f"version {version} answers at {address.host}:{address.port}")


def check_company(settings: Settings) -> Finding:
    """Which company's CRM is loaded."""
    try:
        company = loaded_company(settings)
    except CrmAgentsError as error:
        return Finding("Company", "note", error.what, error.way_out or "")
    return Finding("Company", "ok", f"{company.title} ({company.name}) is loaded")


def pinned_versions(lock: Path) -> Iterator[tuple[str, str]]:
    """Yield name and version of each package in a lock file that applies to this Python and machine."""
    from packaging.requirements import Requirement

    for line in lock.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            requirement = Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name, str(requirement.specifier).removeprefix("==")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
