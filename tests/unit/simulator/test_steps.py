"""The daily simulation, a step at a time: what an action of today does tomorrow."""

from __future__ import annotations

import numpy as np
import pytest

from crm_agents.simulator import behaviour, leads, marketing, outreach, population
from crm_agents.simulator.build import build_world
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.state import Simulation, plan, take_due

DAY = 200


@pytest.fixture
def half_way() -> Simulation:
    """A company of 2,000 customers on the evening of day 200."""
    parameters = Parameters(customers=2000, years=1, campaign_first_day=10_000)
    world = build_world(parameters)
    leads_ = leads.make_leads(parameters, world.team, 0, 2000, population.organisation_places(parameters, 2000))
    traits = population.make_population(parameters, world.team, leads_, 0, 2000)
    simulation = Simulation.begin(world, traits, np.random.default_rng(3))
    for day in range(DAY + 1):
        behaviour.step(simulation, day)
    return simulation


def test_contacts_cause_the_orders_that_their_probability_says(half_way: Simulation) -> None:
    known = int(half_way.state.known[DAY])
    everybody = np.arange(known)
    probability = outreach.contact(half_way, DAY, everybody, marketing.NEW_PRODUCTS, effect=0.2, cause=0)
    for day in range(DAY + 1, DAY + half_way.world.parameters.outcome_days):
        behaviour.step(half_way, day)
    orders = half_way.log.take("orders")
    caused = orders["day"][orders["cause"] == 0]
    spread = np.sqrt((probability * (1 - probability)).sum())
    assert probability[half_way.state.churn_day[:known] <= DAY].sum() == 0
    assert abs(len(caused) - probability.sum()) < 4 * spread
    assert caused.min() > DAY
    assert caused.max() < DAY + half_way.world.parameters.outcome_days


def test_an_action_without_effect_causes_nothing(half_way: Simulation) -> None:
    outreach.contact(half_way, DAY, np.arange(100), marketing.CALL, effect=0.0, cause=0)
    for day in range(DAY + 1, DAY + 14):
        behaviour.step(half_way, day)
    assert not (half_way.log.take("orders")["cause"] == 0).any()


def test_each_action_works_on_those_it_is_for(half_way: Simulation) -> None:
    traits = half_way.traits
    everybody = np.arange(len(traits))
    responses = [marketing.response(traits, everybody, action) for action in range(len(marketing.ACTIONS))]
    assert all(0.7 < response.mean() < 1.4 for response in responses)
    assert (
        responses[marketing.CALL][traits.is_organisation].mean()
        > 2 * responses[marketing.CALL][~traits.is_organisation].mean()
    )
    bonus = responses[marketing.LOYALTY_BONUS]
    assert bonus[traits.is_member].mean() > 4 * bonus[~traits.is_member].mean()
    assert np.corrcoef(responses[marketing.DISCOUNT], traits.price_sensitivity)[0, 1] > 0.4


def test_plan_hands_out_each_event_once_on_its_day(half_way: Simulation) -> None:
    calendar = half_way.state.purchases
    calendar.clear()
    plan(calendar, np.array([5, 3, 5]), np.array([10, 11, 12]), np.array([0, 1, 2]))
    assert [column.tolist() for column in take_due(calendar, 5)] == [[10, 12], [0, 2]]
    assert take_due(calendar, 5) == ()
    assert [column.tolist() for column in take_due(calendar, 3)] == [[11], [1]]
