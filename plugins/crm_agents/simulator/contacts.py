"""What a contact by the company truly does to a customer: the effect that agents' decisions have, known exactly.

A contact wins an order where there is something to win. Who is looking around and would leave without buying can often be
won; who will buy anyway buys no second time because of a call; who is not looking seldom buys because of a call, and the
more so the larger the appetite; who has left is not reached. Contacts tire: each one makes the next worth less and, when
they come too often, leaves a grievance. Who is losing interest can be won back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crm_agents.simulator import marketing, outreach
from crm_agents.simulator.columns import NEVER
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import NATURAL, NO_PURCHASE, Simulation, plan

CONTACT = 1_000_000  # cause of an order that a contact brought about: beyond the numbers of the campaigns
# What a decision of an agent means here; other choices (wait, leave_alone) mean no contact.
ACTION_OF_CHOICE = {
    "contact_now": marketing.CALL,
    "call": marketing.CALL,
    "mail_discount": marketing.DISCOUNT,
    "mail_new_products": marketing.NEW_PRODUCTS,
    "loyalty_bonus": marketing.LOYALTY_BONUS,
    "win_back": marketing.DISCOUNT,
    "greeting": marketing.NEW_PRODUCTS,
}


@dataclass(frozen=True)
class Effect:
    """Parameters of what a contact does; probabilities are of one extra order by a customer of mean response."""

    undecided: float = 0.25  # looks around and would leave without buying: reminders win a fifth to a third of these
    decided: float = 0.0  # will buy anyway: the order would have come, the contact is wasted
    open: float = 0.03  # not looking, of mean appetite: about what a mass campaign brings
    highest: float = 0.6
    most_appetite: float = 3.0  # times the mean: the effect on those not looking grows no further
    won_back: float = 0.1  # of those losing interest
    tiring: float = 0.9  # each recent contact divides the effect by 2.5
    recovery: float = 0.96  # of the tiredness a day: half is gone after 17 days
    annoyance: float = 0.15  # grievance left by a contact of somebody who had one just before
    call_cents: int = 450
    mail_cents: int = 2


@dataclass
class Contacts:
    """Who was contacted in a world, how tired that made them, and what came of it (arrays over customers)."""

    effect: Effect
    tiredness: np.ndarray
    order_due: np.ndarray  # last day on which an order that a contact caused may come: no second one until then
    made: int = 0
    cost_cents: int = 0
    expected_orders: float = 0.0
    by_day: dict[int, int] = field(default_factory=dict)

    @classmethod
    def none(cls, customers: int, effect: Effect | None = None) -> Contacts:
        """Return a world in which nobody has been contacted yet."""
        return cls(effect or Effect(), np.zeros(customers, np.float32), np.full(customers, -1, np.int32))

    def grow(self, customers: int) -> None:
        """Make room for customers who have come."""
        more = customers - len(self.tiredness)
        self.tiredness = np.append(self.tiredness, np.zeros(more, np.float32))
        self.order_due = np.append(self.order_due, np.full(more, -1, np.int32))


def reachable(traits: Traits, takes_mail: np.ndarray, customers: np.ndarray) -> np.ndarray:
    """Return which customers agreed to be called or to be mailed: nobody else is contacted."""
    return traits.consents[customers, marketing.PHONE] | takes_mail[customers]


def probability(simulation: Simulation, contacts: Contacts, day: int, customers: np.ndarray, action: int) -> np.ndarray:
    """Return the true probability of one extra order for each customer, were they contacted on `day`."""
    state, traits, effect = simulation.state, simulation.traits, contacts.effect
    decided, undecided = _plans(simulation, day, customers)
    appetite = traits.purchase_rate[customers] / traits.purchase_rate.mean()
    appetite = np.minimum(appetite * simulation.world.demand[day].take(traits.segment[customers]), effect.most_appetite)
    base = effect.open * appetite * state.openness[customers] / (1 + state.grievance[customers])
    base = np.where(undecided, effect.undecided, base)
    base = np.where(decided, effect.decided, base)
    fresh = np.exp(-effect.tiring * contacts.tiredness[customers])
    can_answer = ~state.is_gone[customers] & (contacts.order_due[customers] < day)
    raw = base * marketing.response(traits, customers, action) * fresh
    return np.minimum(raw, effect.highest) * can_answer


def contact(simulation: Simulation, contacts: Contacts, day: int, customers: np.ndarray, action: int) -> np.ndarray:
    """Contact customers (each named once) on the morning of `day`: by phone who agreed to calls, else by mail.

    Returns
    -------
    numpy.ndarray
        The true probability of an extra order, for each of `customers`; who may not be contacted is left out of
        everything and has 0.
    """
    state, traits = simulation.state, simulation.traits
    allowed = reachable(traits, state.takes_mail, customers)
    reached = customers[allowed]
    if not len(reached):
        return np.zeros(len(customers))
    by_phone = traits.consents[reached, marketing.PHONE]
    if action != marketing.CALL:
        by_phone &= ~state.takes_mail[reached]
    mailed = marketing.NEW_PRODUCTS if action == marketing.CALL else action
    chances = np.where(
        by_phone, probability(simulation, contacts, day, reached, action),
        probability(simulation, contacts, day, reached, mailed),
    )  # fmt: skip
    _cause_orders(simulation, contacts, day, reached, chances, action)
    _win_back(simulation, contacts, reached)
    _tire(simulation, contacts, reached)
    _log(simulation, day, reached, by_phone)
    contacts.made += len(reached)
    contacts.by_day[day] = contacts.by_day.get(day, 0) + len(reached)
    calls = int(by_phone.sum())
    contacts.cost_cents += calls * contacts.effect.call_cents + (len(reached) - calls) * contacts.effect.mail_cents
    contacts.expected_orders += float(chances.sum())
    result = np.zeros(len(customers))
    result[allowed] = chances
    return result


def rest(contacts: Contacts) -> None:
    """Let a night pass: tiredness wears off."""
    contacts.tiredness *= contacts.effect.recovery


def _plans(simulation: Simulation, day: int, customers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return who will order anyway within the outcome days, and who is looking around and will leave without."""
    has_order = np.zeros(len(simulation.traits), dtype=bool)
    leaves = np.zeros(len(simulation.traits), dtype=bool)
    for planned_on, parts in simulation.state.purchases.items():
        for who, cause in parts:
            if planned_on < day + simulation.world.parameters.outcome_days:
                has_order[who[cause == NATURAL]] = True
            leaves[who[cause == NO_PURCHASE]] = True
    return has_order[customers], leaves[customers] & ~has_order[customers]


def _cause_orders(
    simulation: Simulation, contacts: Contacts, day: int, reached: np.ndarray, chances: np.ndarray, action: int
) -> None:
    buyers = reached[simulation.chance(reached, "contact") < chances]
    days = simulation.world.parameters.outcome_days
    ordering = day + simulation.draws.integers(1, days - 1, buyers, "order of contact")
    plan(simulation.state.purchases, ordering, buyers, np.full(len(buyers), CONTACT + action, dtype=np.int32))
    contacts.order_due[buyers] = ordering


def _win_back(simulation: Simulation, contacts: Contacts, reached: np.ndarray) -> None:
    """Let some of those who are losing interest stay."""
    state, traits, parameters = simulation.state, simulation.traits, simulation.world.parameters
    fading = reached[state.is_fading[reached] & ~state.is_gone[reached]]
    chance = contacts.effect.won_back * np.exp(-contacts.effect.tiring * contacts.tiredness[fading])
    stays = fading[simulation.chance(fading, "won back") < chance]
    state.is_fading[stays] = False
    state.fading_day[stays] = NEVER
    state.churn_day[stays] = NEVER
    state.churn_hazard[stays] = traits.churn_rate[stays]
    interested = state.is_interested[stays]
    state.openness[stays] = np.where(interested, 0, 1)
    daily = np.where(interested, parameters.visits_in_interest, parameters.visits_otherwise)
    state.visiting[stays] = traits.web[stays] * daily


def _tire(simulation: Simulation, contacts: Contacts, reached: np.ndarray) -> None:
    simulation.state.grievance[reached] += contacts.effect.annoyance * contacts.tiredness[reached]
    contacts.tiredness[reached] += 1


def _log(simulation: Simulation, day: int, reached: np.ndarray, by_phone: np.ndarray) -> None:
    """Leave in the log what the CRM sees of it: calls, and mails that are read or not."""
    simulation.log.add("calls", customer=reached[by_phone], day=day, is_inbound=False)
    readers = reached[~by_phone]
    opened, clicked, unsubscribed = outreach.read_mail(simulation, day, readers)
    simulation.log.add("mails", customer=readers, day=day, opened=opened, clicked=clicked, unsubscribed=unsubscribed)
