"""dbt's parsed project, parsed before a fork and inherited by the processes forked from it.

Parsing costs a task more than building what changed. The scheduler parses once (``stack/warm.py``); a task that finds every file
of the project as it was then takes the result over, and parses for itself otherwise. This module outlives the other modules of
ours in a forked process, so it holds the two and knows nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_kept: dict[str, Any] = {}


def stamp(folder: Path, *texts: str) -> str:
    """Return what changes when a file under `folder` is added, removed or written to, or one of `texts` differs."""
    digest = hashlib.sha256("\0".join(texts).encode())
    for path in sorted(_files(folder)):
        status = path.stat()
        digest.update(f"{path.relative_to(folder)} {status.st_mtime_ns} {status.st_size}\n".encode())
    return digest.hexdigest()


def keep(stamped: str, project: Any) -> None:
    """Keep `project` for the processes that will be forked from this one."""
    _kept.clear()
    _kept[stamped] = project


def take(stamped: str) -> Any | None:
    """Return the kept project when it has this stamp, None otherwise; it can be taken once: dbt writes into it."""
    return _kept.pop(stamped, None)


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
