"""The simulated company from the last day of its history on, a day at a time (docs/simulator.md)."""

from crm_agents.simulator.forward.company import Day, LivingCompany
from crm_agents.simulator.forward.journal import Changes, Journal

__all__ = ["Changes", "Day", "Journal", "LivingCompany"]
