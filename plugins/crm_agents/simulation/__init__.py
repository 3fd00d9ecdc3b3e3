"""Days of the simulated company beside its CRM: customers answer what agents decided, agents run, models learn."""

from crm_agents.simulation.runner import Progress, Simulated, simulate

__all__ = ["Progress", "Simulated", "simulate"]
