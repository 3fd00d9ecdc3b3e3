"""A component of Airflow, in this process: ``python -m crm_agents.stack.airflow_process COMMAND [ARGUMENT ...]``.

The same as ``airflow COMMAND``, except that the process is gone once the command has ended. Python would first take apart
some five thousand modules, which keeps a processor busy for seconds in each of Airflow's four components at every stop.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from typing import NoReturn


def run(arguments: list[str]) -> NoReturn:
    """Run an Airflow command and end this process with its exit code.

    Parameters
    ----------
    arguments : list of str
        What follows ``airflow`` on a command line.
    """
    from airflow.__main__ import main

    sys.argv = ["airflow", *arguments]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run(sys.argv[1:])
