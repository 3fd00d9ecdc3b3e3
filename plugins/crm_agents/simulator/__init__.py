"""A whole invented company with a known truth (docs/simulator.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from crm_agents.simulator.parameters import Drift, Parameters
from crm_agents.simulator.report import SimulationReport

__all__ = ["Drift", "Parameters", "SimulationReport", "generate"]


def generate(
    target: Path,
    *,
    truth: Path,
    customers: int = 5000,
    years: float = 3,
    seed: int = 7,
    end_on: date = date(2026, 6, 30),
    drift: Drift | None = None,
    progress: Callable[[str], None] | None = None,
) -> SimulationReport:
    """Simulate a company and write it as the export files of its CRM.

    Parameters
    ----------
    target : Path
        Folder of the export files: one Parquet file per table. Replaced when an earlier simulation lies there.
    truth : Path
        Folder of the hidden truth, for tests and reports, never for agents.
    customers : int
        Number of real customers; about 1 % stand in the files twice.
    years, end_on
        Length and last day of the history.
    seed : int
        The same arguments give the same files, byte for byte.
    drift : Drift, optional
        A change of the world from one day on.
    progress : callable, optional
        Is told a line after each piece of work.

    Returns
    -------
    SimulationReport
        Row counts and places.

    Raises
    ------
    CrmAgentsError
        When an argument is out of range, or a folder holds something that is not a simulation.
    """
    from crm_agents.simulator.build import build_company

    parameters = Parameters(customers=customers, years=years, seed=seed, end_on=end_on, drift=drift)
    return build_company(parameters, target, truth, progress)
