"""The lake's layers: built by dbt (``dbt_project/``), only what changed, for the day that counts as today."""

from crm_agents.marts.building import build, test, unit_tests
from crm_agents.marts.days import LabelWindow, TrainingCutoffs, company_as_of, training_cutoffs
from crm_agents.marts.results import BuildError, BuildResult, NodeResult, raise_if_failed
from crm_agents.marts.state import newest_batch

__all__ = [
    "BuildError",
    "BuildResult",
    "LabelWindow",
    "NodeResult",
    "TrainingCutoffs",
    "build",
    "company_as_of",
    "newest_batch",
    "raise_if_failed",
    "test",
    "training_cutoffs",
    "unit_tests",
]
