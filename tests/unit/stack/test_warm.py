"""What the scheduler prepares for its tasks, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

FORGET = """
import sys
from crm_agents import marts, parsed_project
from crm_agents.stack import warm
before = marts.build
parsed_project.keep("now", "parsed")
warm.forget_own_modules()
print(*sorted(name for name in sys.modules if name.split(".")[0] in ("crm_agents", "models_ml", "expectations")))
from crm_agents import marts, parsed_project
print(marts.build is before, parsed_project.take("now"))
"""


def test_own_modules_are_loaded_anew_and_the_parsed_project_stays() -> None:
    said = subprocess.run([sys.executable, "-c", FORGET], capture_output=True, text=True, check=True).stdout
    left, loaded = said.splitlines()
    assert left.split() == [
        "crm_agents",
        "crm_agents.parsed_project",
        "crm_agents.stack",
        "crm_agents.stack.airflow_process",
        "crm_agents.stack.warm",
    ]
    assert loaded == "False parsed"
