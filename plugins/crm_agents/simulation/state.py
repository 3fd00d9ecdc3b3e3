"""How far a simulation has come: enough to bring every world back to its last finished day."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from crm_agents import postgres
from crm_agents.company import is_company_loaded, loaded_company
from crm_agents.errors import CrmAgentsError
from crm_agents.settings import Settings
from crm_agents.simulator import Parameters
from crm_agents.simulator.writer import MARKER


@dataclass
class DayRecord:
    """A finished day: whom the agents wanted to contact on it (by action), and what its pipeline did."""

    on: str
    wishes: dict[str, list[int]] = field(default_factory=dict)
    seconds: float = 0.0
    trained: list[str] = field(default_factory=list)


@dataclass
class SimulationState:
    """The company that is simulated, and its finished days in order."""

    customers: int
    seed: int
    load_run_id: str
    days: list[DayRecord] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write the state so that a reader sees either the old or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")
        partial.replace(path)


def state_file(settings: Settings) -> Path:
    """Return where the state of this installation's simulation stands."""
    return settings.home / "simulation" / "state.json"


def read_state(settings: Settings) -> SimulationState | None:
    """Return the state, None when no simulation has begun.

    Raises
    ------
    CrmAgentsError
        When the file cannot be understood.
    """
    path = state_file(settings)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        days = [DayRecord(**day) for day in content.pop("days")]
        return SimulationState(**content, days=days)
    except (ValueError, TypeError, KeyError) as error:
        raise CrmAgentsError(
            f"{path} cannot be read: {error}.", "Begin a new simulation with another CRM_AGENTS_HOME."
        ) from error


def simulated_parameters(settings: Settings) -> Parameters:
    """Return the parameters of the loaded company, from its hidden truth.

    Raises
    ------
    CrmAgentsError
        When no company is loaded, or one that is not simulated.
    """
    company = loaded_company(settings) if is_company_loaded(settings) else None
    path = settings.truth_dir / MARKER
    if company is None:
        raise CrmAgentsError("No company has been loaded yet.", "Load one with `crm-agents load simulated`.")
    if company.generator != "simulator" or not path.is_file():
        raise CrmAgentsError(
            f"{company.title} is not simulated, so nobody knows how its customers would answer.",
            "Simulate with `crm-agents load simulated` in a home folder of its own (CRM_AGENTS_HOME).",
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    content["end_on"] = date.fromisoformat(content["end_on"])
    for name, value in content.items():
        if isinstance(value, list):
            content[name] = tuple(value)
    if content["drift"] is not None:
        raise CrmAgentsError(
            "This simulated company has a drift, which ends with its history.", "Load one without (load simulated)."
        )
    return Parameters(**content)


def newest_load() -> str:
    """Return the id of the load that filled the CRM."""
    with postgres.connect() as crm:
        row = crm.execute("select run_id from crm_ai.load_counts order by at desc limit 1").fetchone()
    return str(row[0]) if row else ""
