"""One day in the life of the customers: the causal core of the simulation.

Hidden appetite, season and mood start an interest; an interest shows in web visits and, days later, becomes an order or
nothing. Late deliveries and tickets leave a grievance, which lowers appetite and raises the risk of leaving. Who loses
interest stops opening mails and visiting first and leaves weeks later. Campaigns cause orders beyond those that would
have come anyway (see `outreach.contact`), so their true effect is known exactly.
"""

from __future__ import annotations

import numpy as np

from crm_agents.simulator import interest, outreach, purchases, troubles
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import Simulation, World


def live_through(world: World, traits: Traits, rng: np.random.Generator) -> Simulation:
    """Simulate a chunk of customers over the whole history, day by day."""
    simulation = Simulation.begin(world, traits, rng)
    for day in range(world.parameters.days):
        step(simulation, day)
    return simulation


def step(simulation: Simulation, day: int) -> None:
    """Move all customers forward by one day and log what happens on it."""
    state = simulation.state
    known = int(state.known[day])
    state.grievance[:known] *= simulation.world.parameters.grievance_decay
    interest.leave(simulation, day)
    interest.lose_interest(simulation, day)
    interest.become_interested(simulation, day)
    visitors = np.flatnonzero(simulation.chance(known, "visit") < state.visiting[:known])
    simulation.log.add("visits", customer=visitors, day=day)
    troubles.receive(simulation, day)
    outreach.send_newsletter(simulation, day)
    outreach.run_campaigns(simulation, day)
    outreach.call_firms(simulation, day)
    purchases.buy(simulation, day)
    troubles.survey(simulation, day)
