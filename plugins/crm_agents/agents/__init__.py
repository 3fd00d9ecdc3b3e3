"""The agents: what each one perceives, understands, decides, executes and evaluates; no Airflow inside."""

from __future__ import annotations

import importlib
from types import ModuleType

from crm_agents.errors import CrmAgentsError

AGENTS = {
    "customer_behaviour_agent": "customer_behaviour",
    "customer_segment_agent": "customer_segments",
    "personalisation_agent": "personalisation",
}


def find(agent: str) -> ModuleType:
    """Return the module of an agent by its name, which is its DAG's.

    Raises
    ------
    CrmAgentsError
        When there is none, naming those that exist.
    """
    if agent not in AGENTS:
        raise CrmAgentsError(f"There is no agent {agent!r}.", f"Agents: {', '.join(AGENTS)}.")
    return importlib.import_module(f"crm_agents.agents.{AGENTS[agent]}")
