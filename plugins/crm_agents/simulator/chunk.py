"""One chunk of customers from first to last day: all their tables, and the hidden truth about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_agents.simulator import (
    activities,
    behaviour,
    columns,
    dirt,
    duplicates,
    interactions,
    leads,
    marketing,
    opportunities,
    orders,
    payments,
    population,
    service,
)
from crm_agents.simulator.columns import NEVER
from crm_agents.simulator.orders import Lines, Orders
from crm_agents.simulator.state import EVENTS, State, World
from crm_agents.simulator.streams import stream

Draws = dict[str, np.random.Generator]
PARTS = (
    "behaviour", "orders", "payments", "interactions", "tickets", "feedback", "activities", "consents", "dirt",
    "campaign members",
)  # fmt: skip


@dataclass(frozen=True)
class Chunk:
    """What one chunk contributes."""

    tables: dict[str, pa.Table]
    truth: dict[str, pa.Table]
    campaign_counts: np.ndarray  # campaigns x (treated, expected extra orders, caused orders)


@dataclass(frozen=True)
class Story:
    """Everything that happened to a chunk of customers, before it is written down as tables."""

    number: int
    leads: leads.Leads
    traits: population.Traits
    state: State
    events: dict[str, dict[str, np.ndarray]]
    deals: opportunities.Opportunities
    coming_deals: opportunities.Opportunities  # the same, to their end after the last day
    orders: Orders
    lines: Lines
    favourites: np.ndarray  # customers x products
    tickets: service.Tickets
    duplicates: duplicates.Duplicates


def simulate_chunk(world: World, number: int) -> Chunk:
    """Simulate chunk `number`: customers do not know each other, so chunks are independent."""
    draw = draws_of(world, number)
    story = live(world, number, draw)
    tables, account = dirt.spoil(_tables(world, story, draw), world.parameters, draw["dirt"])
    truth = {
        "customers": _customer_truth(world, story.traits, story.state),
        "leads": leads.truth_table(story.leads),
        "opportunities": opportunities.truth_table(story.deals),
        "duplicates": duplicates.truth_table(story.traits, story.duplicates),
        "campaign_orders": _campaign_orders(story.orders),
        "dirt": account,
    }
    return Chunk(tables, truth, _campaign_counts(world, story.events["members"], story.orders))


def draws_of(world: World, number: int) -> Draws:
    """Return the random stream of each part of chunk `number`."""
    return {part: stream(world.parameters.seed, part, number) for part in PARTS}


def live(world: World, number: int, draw: Draws) -> Story:
    """Let chunk `number` live from the first to the last day."""
    p = world.parameters
    size = min(p.chunk_customers, p.customers - number * p.chunk_customers)
    leads_ = leads.make_leads(p, world.team, number, size, population.organisation_places(p, size))
    traits = population.make_population(p, world.team, leads_, number, size)
    simulation = behaviour.live_through(world, traits, draw["behaviour"])
    events = {kind: simulation.log.take(kind) for kind in EVENTS}
    coming = opportunities.make_opportunities(world, traits, simulation.state, leads_, number)
    deals = opportunities.known_by(coming, (columns.epoch_day(p.end_on) + 1) * columns.DAY)
    orders_ = orders.make_orders(world, traits, events["orders"], deals, draw["orders"])
    orders_, lines, favourites = orders.make_lines(world, traits, orders_, deals, draw["orders"])
    return Story(
        number=number,
        leads=leads_,
        traits=traits,
        state=simulation.state,
        events=events,
        deals=deals,
        coming_deals=coming,
        orders=orders_,
        lines=lines,
        favourites=favourites,
        tickets=service.make_tickets(world, traits, events["tickets"], orders_, lines, draw["tickets"]),
        duplicates=duplicates.choose(traits, p, draw["dirt"]),
    )


def _tables(world: World, it: Story, draw: Draws) -> dict[str, pa.Table]:
    """Write the story down as a clean export."""
    p, traits = world.parameters, it.traits
    customers = population.customers_table(traits, p, it.number)
    second = duplicates.duplicate_rows(customers, traits, it.duplicates, draw["dirt"])
    customers = pa.concat_tables([customers, second])
    shown = duplicates.shown_customers(it.orders, it.duplicates, len(traits), draw["dirt"])
    customer_ids = customers["customer_id"].combine_chunks()
    orders_ = orders.orders_table(it.orders, customer_ids, shown, traits, it.deals)
    firms = population.firm_names(it.leads.firm, it.leads.industry, it.leads.country)
    of_lead = opportunities.opportunity_of_lead(it.deals, it.leads)
    members = marketing.members_table(
        it.events["members"], world.campaigns, (it.orders.customer, it.orders.ordered), traits.first_number, p,
        draw["campaign members"],
    )  # fmt: skip
    return {
        "customers": customers,
        "consents": interactions.consents_table(world, traits, it.state, draw["consents"]),
        "orders": orders_,
        "order_items": orders.lines_table(it.lines, orders_["order_id"].combine_chunks(), world, it.orders),
        "payments": payments.payments_table(world, traits, it.orders, it.lines, draw["payments"]),
        "interactions": interactions.interactions_table(world, traits, it.leads, it.events, draw["interactions"]),
        "tickets": service.tickets_table(world, traits, it.tickets, draw["tickets"]),
        "feedback": service.feedback_table(
            world, traits, it.tickets, it.events["surveys"], it.orders, it.lines, draw["feedback"]
        ),
        "leads": leads.leads_table(it.leads, firms, of_lead, p),
        "opportunities": opportunities.opportunities_table(it.deals, traits, it.leads, world),
        "opportunity_stages": opportunities.stages_table(it.deals),
        "activities": activities.activities_table(world, traits, it.deals, draw["activities"]),
        "campaign_members": members,
        "loyalty_transactions": payments.loyalty_table(world, traits, it.orders, it.lines),
    }


def _customer_truth(world: World, traits: population.Traits, state: State) -> pa.Table:
    """Return the hidden traits of the customers and their state on the last day."""
    start = columns.epoch_day(world.parameters.first_on)
    has_left = state.churn_day < world.parameters.days
    everybody = np.arange(len(traits))
    responses = {
        f"response_{name}": marketing.response(traits, everybody, action).astype(np.float32)
        for action, name in enumerate(marketing.ACTIONS)
    }
    return pa.table(
        {
            "customer_id": columns.ids("C", traits.first_number + everybody),
            "segment": columns.pick([item.name for item in population.SEGMENTS], traits.segment),
            "purchases_a_year": traits.purchase_rate * 365.25,
            "is_regular": traits.is_regular,
            "churns_a_year": traits.churn_rate * 365.25,
            "faded_on": columns.days(start + state.fading_day, state.fading_day == NEVER),
            "churned_on": columns.days(start + state.churn_day, ~has_left),
            "price_sensitivity": traits.price_sensitivity,
            "novelty": traits.novelty,
            "web_affinity": traits.web,
            "mail_affinity": traits.mail,
            "phone_affinity": traits.phone,
            **responses,
            "orders": state.orders,
            "grievance": state.grievance,
            "is_interested": state.is_interested,
        }
    )


def _campaign_orders(orders_: Orders) -> pa.Table:
    """Return which orders a campaign caused."""
    caused = np.flatnonzero(orders_.cause >= 0)
    return pa.table(
        {
            "order_id": columns.ids("O", orders_.first_number + caused, 8),
            "campaign_id": columns.ids("K", orders_.cause[caused], 4),
        }
    )


def _campaign_counts(world: World, members: dict[str, np.ndarray], orders_: Orders) -> np.ndarray:
    count = len(world.campaigns.day)
    treated = members["treated"]
    return np.stack(
        [
            np.bincount(members["campaign"][treated], minlength=count),
            np.bincount(members["campaign"][treated], members["probability"][treated], count),
            np.bincount(orders_.cause[orders_.cause >= 0], minlength=count),
        ],
        axis=1,
    )
