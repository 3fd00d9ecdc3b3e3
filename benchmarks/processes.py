"""Work in a process of its own, so that its seconds and its peak memory are its own."""

from __future__ import annotations

import json
import os
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """What one piece of work came to; `result` is plain JSON."""

    seconds: float
    peak_gb: float
    result: Any


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that `work` took, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def apart(work: Callable[[], Any]) -> Measured:
    """Do `work` in a forked process.

    Parameters
    ----------
    work : callable
        Returns a plain JSON result, or (from `timed`) the seconds that count and the result, when it has to prepare something.

    Raises
    ------
    SystemExit
        When it failed; its error is printed.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _work(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    if not said:
        raise SystemExit("A stage failed; its error stands above.")
    return Measured(**json.loads(said))


def _work(work: Callable[[], Any], writing: int) -> None:
    try:
        seconds, result = timed(work)
        if isinstance(result, tuple):
            seconds, result = result
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        with os.fdopen(writing, "w") as stream:
            json.dump({"seconds": seconds, "peak_gb": peak, "result": result}, stream)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)
