"""What a simulation wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crm_agents.simulator.parameters import Parameters


@dataclass(frozen=True)
class SimulationReport:
    """Where the company lies and how large it is."""

    target: Path
    truth: Path
    parameters: Parameters
    rows: dict[str, int]
    dirty_rows: int
