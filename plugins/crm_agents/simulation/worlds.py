"""The worlds that are compared: one with the agents, and its twins without, moved forward in step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crm_agents.simulation.policy import Habit
from crm_agents.simulator import Parameters
from crm_agents.simulator.forward import Day, LivingCompany
from crm_agents.simulator.marketing import CALL

TITLES = {
    "agents": "with the agents",
    "usual": "business as usual (best customers first)",
    "random": "contacts by lot",
    "none": "no contacts",
}
TWINS = ("usual", "random", "none")


class Worlds:
    """The same company with different contacts; the same customer's same day draws the same numbers in each."""

    def __init__(self, parameters: Parameters) -> None:
        world = LivingCompany(parameters, keeps_books=True)
        self.companies = {"agents": world, **{name: world.twin() for name in TWINS}}
        self.habits = {name: Habit(name) for name in TWINS}
        self.first_day = self.companies["agents"].day + 1

    @property
    def agents(self) -> LivingCompany:
        """The world in which the agents decide."""
        return self.companies["agents"]

    def step(self, wishes: Mapping[int, np.ndarray]) -> Day:
        """Move every world by one day; each habit contacts as many customers as the agents reach.

        Parameters
        ----------
        wishes : mapping of action to customers
            What the agents decided on the evening before.
        """
        day = self.agents.step([(customers, action) for action, customers in sorted(wishes.items())])
        for name, habit in self.habits.items():
            company = self.companies[name]
            chosen = habit.choose(company, day.contacts)
            company.step([(chosen, CALL)] if len(chosen) else ())
        return day
