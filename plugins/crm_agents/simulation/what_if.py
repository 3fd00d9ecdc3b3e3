"""What contacts on the first evening were truly worth, by the order in which customers are chosen.

The simulator knows the effect of a contact on every customer, so orders of choice can be compared without noise: a hint where
a policy loses money, before anybody runs it for months.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_agents import postgres
from crm_agents.simulation.learning import MODEL
from crm_agents.simulation.policy import Habit
from crm_agents.simulator import Parameters
from crm_agents.simulator.contacts import probability, reachable
from crm_agents.simulator.forward import LivingCompany
from crm_agents.simulator.marketing import CALL


@dataclass(frozen=True)
class Worth:
    """Mean true effect of one contact."""

    order_of_choice: str
    extra_orders: float
    extra_revenue: float


def first_evening(parameters: Parameters, contacts: int) -> list[Worth]:
    """Return what each order of choice would have brought with `contacts` contacts on the first simulated day."""
    company = LivingCompany(parameters, keeps_books=False)
    everybody = np.arange(len(company.simulation.traits))
    effect = probability(company.simulation, company.contacts, company.day + 1, everybody, CALL)
    order_value = _mean_order(company)
    likelihood = _scores(company, parameters)
    may = reachable(company.simulation.traits, company.simulation.state.takes_mail, everybody)

    def best(measure: np.ndarray) -> np.ndarray:
        return np.argsort(np.where(may & (likelihood >= 0), -measure, np.inf), kind="stable")[:contacts]

    choices = {
        "most likely to buy": best(likelihood),
        "highest expected order: likelihood x mean order value": best(likelihood * order_value),
        "best customers (recency, frequency, value)": Habit("usual").choose(company, contacts),
        "by lot": Habit("random").choose(company, contacts),
        "the true effect on revenue (nobody can know it)": best(effect * order_value),
    }
    return [
        Worth(name, float(effect[chosen].mean()), float((effect * order_value)[chosen].mean()))
        for name, chosen in choices.items()
    ]


def _mean_order(company: LivingCompany) -> np.ndarray:
    """Return the mean net amount of each customer's orders, deals apart."""
    it, customers = company.ledger, len(company.simulation.traits)
    mine = ~it.is_deal & (it.net_cents > 0)
    total = np.bincount(it.customer[mine], it.net_cents[mine], customers) / 100
    return total / np.maximum(np.bincount(it.customer[mine], minlength=customers), 1)


def _scores(company: LivingCompany, parameters: Parameters) -> np.ndarray:
    """Return the score of each customer as of the last day of the history; -1 where there is none."""
    with postgres.connect() as crm:
        rows = crm.execute(
            "select entity_id, value from crm_ai.score_history where model = %s and as_of = %s and value is not null "
            "order by entity_id",
            (MODEL, parameters.end_on),
        ).fetchall()
    scores = np.full(len(company.simulation.traits), -1.0)
    if rows:
        customer_ids, values = zip(*rows, strict=True)
        places = company.places_of(customer_ids)
        scores[places[places >= 0]] = np.array(values)[places >= 0]
    return scores
