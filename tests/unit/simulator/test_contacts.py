"""The effect of a contact is the one that was planted: no more, no less, on those it is for."""

from __future__ import annotations

import numpy as np
import pytest

from crm_agents.simulator import Parameters
from crm_agents.simulator.contacts import CONTACT, Contacts, Effect, contact, probability
from crm_agents.simulator.forward import LivingCompany
from crm_agents.simulator.marketing import CALL, PHONE
from crm_agents.simulator.state import NATURAL, NO_PURCHASE

OUTCOME_DAYS = Parameters().outcome_days


@pytest.fixture(scope="module")
def evening() -> LivingCompany:
    return LivingCompany(Parameters(customers=4000, years=1, seed=9), keeps_books=False)


def everybody(company: LivingCompany) -> np.ndarray:
    return np.arange(len(company.simulation.traits))


def planned(company: LivingCompany, cause: int) -> np.ndarray:
    parts = [who[what == cause] for plans in company.simulation.state.purchases.values() for who, what in plans]
    return np.unique(np.concatenate(parts))


def test_contacts_cause_as_many_orders_as_their_probabilities_say(evening: LivingCompany) -> None:
    world, twin = evening.twin(), evening.twin()
    world.step([(everybody(world), CALL)])
    twin.step()
    caused = 0
    for _ in range(OUTCOME_DAYS):
        caused += world.step().caused_orders
        twin.step()
    expected = world.contacts.expected_orders
    assert expected > 60
    assert abs(caused - expected) < 4 * np.sqrt(expected)
    # Against the twin: the caused orders, less some that the same customers would have placed a little later.
    more = len(world.ledger.day) - len(twin.ledger.day)
    assert 0.6 * caused < more < 1.25 * caused


def test_without_effect_nothing_is_caused(evening: LivingCompany) -> None:
    world = evening.twin()
    world.contacts.effect = Effect(undecided=0, open=0)
    world.step([(everybody(world), CALL)])
    assert world.contacts.made > 2000
    assert world.contacts.expected_orders == 0
    assert sum(world.step().caused_orders for _ in range(OUTCOME_DAYS)) == 0


def test_the_undecided_are_won_and_the_decided_are_not(evening: LivingCompany) -> None:
    world = evening.twin()
    it, day = world.simulation, world.day + 1
    it.draws.day = day  # type: ignore[attr-defined]
    chances = probability(it, world.contacts, day, everybody(world), CALL)
    undecided, decided = planned(world, NO_PURCHASE), planned(world, NATURAL)
    near = [
        who[what == NATURAL]
        for on, plans in it.state.purchases.items()
        if on < day + OUTCOME_DAYS
        for who, what in plans
    ]
    undecided = np.setdiff1d(undecided[~it.state.is_gone[undecided]], decided)
    assert chances[np.concatenate(near)].max() == 0
    assert chances[undecided].mean() > 0.15
    assert chances[it.state.is_gone].max() == 0
    idle = np.setdiff1d(np.flatnonzero(~it.state.is_gone & (it.state.openness == 1)), np.union1d(undecided, decided))
    assert 0.01 < chances[idle].mean() < 0.06


def test_contacts_tire_and_annoy(evening: LivingCompany) -> None:
    world = evening.twin()
    it, contacts, customers = world.simulation, world.contacts, everybody(world)
    day = world.day + 1
    it.draws.day = day  # type: ignore[attr-defined]
    contacts.effect = Effect(undecided=0, open=0.02, won_back=0)
    first = probability(it, contacts, day, customers, CALL)
    grievance = it.state.grievance.copy()
    contact(it, contacts, day, customers, CALL)
    reached = contacts.tiredness > 0
    assert np.array_equal(it.state.grievance, grievance)  # the first one annoys nobody
    contacts.order_due[:] = -1
    again = probability(it, contacts, day, customers, CALL)
    assert again[reached].sum() == pytest.approx(first[reached].sum() * np.exp(-0.9), rel=1e-4)
    contact(it, contacts, day, customers, CALL)
    assert (it.state.grievance[reached] - grievance[reached]).mean() == pytest.approx(
        0.15, rel=0.02
    )  # some unsubscribed


def test_nobody_is_contacted_against_their_will(evening: LivingCompany) -> None:
    world = evening.twin()
    it, day = world.simulation, world.day + 1
    it.draws.day = day  # type: ignore[attr-defined]
    agreed = it.traits.consents[:, PHONE] | it.state.takes_mail
    contact(it, world.contacts, day, everybody(world), CALL)
    assert np.array_equal(world.contacts.tiredness > 0, agreed)
    calls, mails = it.log.take("calls"), it.log.take("mails")
    assert it.traits.consents[calls["customer"], PHONE].all()
    assert len(calls["customer"]) + len(mails["customer"]) == world.contacts.made == agreed.sum()
    cost = len(calls["customer"]) * 450 + len(mails["customer"]) * 2
    assert world.contacts.cost_cents == cost


def test_a_pending_order_is_not_won_twice(evening: LivingCompany) -> None:
    world = evening.twin()
    world.contacts.effect = Effect(open=0.6, undecided=0.6, tiring=0)
    for _ in range(3):
        world.step([(everybody(world), CALL)])
    due = [
        who
        for plans in world.simulation.state.purchases.values()
        for who, what in plans
        for who in who[what >= CONTACT]
    ]
    assert len(due) == len(set(due)) > 300


def test_who_is_won_back_stays(evening: LivingCompany) -> None:
    world, twin = evening.twin(), evening.twin()
    fading = np.flatnonzero(world.simulation.state.is_fading & ~world.simulation.state.is_gone)
    world.contacts.effect = Effect(won_back=1.0)
    for company, wishes in ((world, [(fading, CALL)]), (twin, [])):
        company.step(wishes)
        for _ in range(80):
            company.step()
    reached = fading[world.contacts.order_due[fading] >= -1]
    stays = ~world.simulation.state.is_gone[reached]
    assert twin.simulation.state.is_gone[reached].all()
    assert stays.mean() > 0.4


def test_a_new_world_has_no_contacts() -> None:
    fresh = Contacts.none(3)
    fresh.grow(5)
    assert fresh.tiredness.tolist() == [0] * 5
    assert fresh.order_due.tolist() == [-1] * 5
