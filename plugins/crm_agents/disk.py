"""A full disk, told in one sentence wherever it shows: in a file, in DuckDB or in PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from crm_agents.errors import CrmAgentsError
from crm_agents.settings import load_settings

# How the C library words ENOSPC; Python, DuckDB, Arrow and PostgreSQL all hand it on.
NO_SPACE = "No space left on device"
NOTHING_LEFT_BYTES = 2**20


def explain_if_full(error: BaseException) -> CrmAgentsError | None:
    """Return what to tell the user when `error`, or what it came from, is a full disk; else None.

    Without space PostgreSQL stops, and clients see no more than a refused connection: so a disk without a megabyte left
    counts as the cause of any error of ours.
    """
    said = any(NO_SPACE in str(cause) for cause in _causes(error))
    try:
        home = load_settings().home
    except CrmAgentsError:
        return None  # a setting cannot be read: that is the error
    folder = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if not said and not (isinstance(error, CrmAgentsError) and free < NOTHING_LEFT_BYTES):
        return None
    return CrmAgentsError(
        f"The disk that holds {home} is full ({free // 2**20} MB are free now).",
        "What was under way has changed nothing. Free some space there, run `crm-agents up`, and do it again.",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
