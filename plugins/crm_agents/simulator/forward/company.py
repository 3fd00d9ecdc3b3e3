"""The simulated company as it lives on: customers, orders, deals and leads, a day at a time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_agents.errors import CrmAgentsError
from crm_agents.simulator import behaviour, columns, opportunities, orders
from crm_agents.simulator.chunk import Story
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.contacts import CONTACT, Contacts, contact, rest
from crm_agents.simulator.draws import ByCustomer, day_stream
from crm_agents.simulator.forward import deals as deal_days
from crm_agents.simulator.forward import newcomers, sales, world
from crm_agents.simulator.forward.books import Books
from crm_agents.simulator.forward.journal import Changes
from crm_agents.simulator.forward.ledger import Ledger
from crm_agents.simulator.leads import Leads
from crm_agents.simulator.opportunities import Opportunities
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.state import EVENTS, EventLog, Simulation

Wish = tuple[np.ndarray, int]  # customers to contact, and by which action of `marketing.ACTIONS`


@dataclass(frozen=True)
class Day:
    """What came of one day."""

    number: int
    changes: Changes | None  # for the CRM; None where no books are kept
    orders: int
    caused_orders: int  # by contacts
    revenue_cents: int
    contacts: int
    contact_cents: int


class LivingCompany:
    """A simulated company after the last day of its history.

    The same parameters and the same contacts give the same days, in every process: nothing else decides. So a company is
    brought back to any day by stepping through its contacts again.

    Attributes
    ----------
    simulation : Simulation
        Hidden traits and state of every customer; places in the arrays are customer numbers less `first_number`.
    contacts : Contacts
        Who was contacted and what it cost.
    ledger : Ledger
        Every order's customer, day and net amount.
    deals : Opportunities
        Every deal to its end, be that to come.
    day : int
        Number of the last finished day; the history ends with ``parameters.days - 1``.
    """

    def __init__(self, parameters: Parameters, *, keeps_books: bool) -> None:
        """Live through the history.

        Parameters
        ----------
        parameters : Parameters
            Those that the company was generated with.
        keeps_books : bool
            Return each day's rows for the CRM.

        Raises
        ------
        CrmAgentsError
            When the company has more customers than can be moved forward.
        """
        if parameters.chunks > 1:
            raise CrmAgentsError(
                f"A company of {parameters.customers:,} customers cannot be moved forward.",
                f"Simulate up to {parameters.chunk_customers:,} customers.",
            )
        self.history = parameters
        self.world, story = world.history(parameters)
        self.day = parameters.days - 1
        draws = ByCustomer(parameters.seed)
        self.simulation = Simulation(self.world, story.traits, story.state, EventLog(), draws)
        self.simulation.log.order_count = len(story.events["orders"]["customer"])
        self.favourites = story.favourites
        self._true_place: np.ndarray = np.arange(len(story.traits))
        self._welcome_second_ids(story)
        self.contacts = Contacts.none(len(self.simulation.traits))
        self.leads: Leads = story.leads
        self._open_leads = newcomers.open_leads(story.leads)
        self.deals: Opportunities = story.coming_deals
        self._usual_amount = float(np.exp(np.log(np.maximum(self.deals.amount, 1)).mean())) if len(self.deals) else 1e5
        self.ledger = Ledger.of_history(story)
        self.books = Books(self.world, parameters, story) if keeps_books else None

    def twin(self) -> LivingCompany:
        """Return a copy that lives on by itself, from the same evening with the same luck, and keeps no books."""
        books, self.books = self.books, None
        try:
            return copy.deepcopy(self)
        finally:
            self.books = books

    @property
    def first_number(self) -> int:
        """Number of the first customer."""
        return self.simulation.traits.first_number

    def second_of(self, day: int) -> int:
        """Return the first second of a day number."""
        return (columns.epoch_day(self.world.parameters.first_on) + day) * DAY

    def step(self, wishes: Sequence[Wish] = ()) -> Day:
        """Live through the next day.

        Parameters
        ----------
        wishes : sequence of (customers, action)
            Whom the company wants to contact on the morning; each customer is contacted once at most, and only by a
            channel that they agreed to.

        Raises
        ------
        CrmAgentsError
            When the world ends (three years after the history).
        """
        day = self.day + 1
        if day >= self.world.parameters.days:
            raise CrmAgentsError(
                f"The simulated world ends after {world.LONGEST_DAYS} days.", "Load the company anew with another seed."
            )
        self._welcome(day)
        before, simulation = (self.contacts.made, self.contacts.cost_cents), self.simulation
        simulation.draws.day = day  # type: ignore[attr-defined]
        rest(self.contacts)
        for customers, action in wishes:
            contact(simulation, self.contacts, day, customers, action)
        behaviour.step(simulation, day)
        events = {kind: simulation.log.take(kind) for kind in EVENTS}
        self.deals = deal_days.join(self.deals, deal_days.new_deals(simulation, day, self._usual_amount))
        sold = self._sell(day, events)
        caused = int((events["orders"]["cause"] >= CONTACT).sum())
        changes = self.books.close(self, day, events, sold) if self.books else None
        self.day = day
        return Day(
            number=day,
            changes=changes,
            orders=sum(len(part.orders) for part in sold),
            caused_orders=caused,
            revenue_cents=int(sum(part.net_cents().sum() for part in sold)),
            contacts=self.contacts.made - before[0],
            contact_cents=self.contacts.cost_cents - before[1],
        )

    def places_of(self, customer_ids: Sequence[str]) -> np.ndarray:
        """Return the place of each of these customers; a second id stands for the customer that it truly is.

        Customers that somebody has added to the CRM have none: -1.
        """
        names = pa.array(list(customer_ids), pa.string())
        is_ours = pa.compute.match_substring_regex(names, "^C[0-9]{1,9}$")
        digits = pa.compute.if_else(is_ours, pa.compute.utf8_slice_codeunits(names, 1), "-1")
        number = digits.cast(pa.int64()).to_numpy(zero_copy_only=False)
        place = number - self.first_number
        is_known = (place >= 0) & (place < len(self._true_place))
        return np.where(is_known, self._true_place[np.where(is_known, place, 0)], -1)

    def _sell(self, day: int, events: dict[str, dict[str, np.ndarray]]) -> list[sales.Sales]:
        first = self.ledger.next_number
        goods = sales.take_orders(self.world, self.simulation.traits, self.favourites, events["orders"], day, first)
        won = deal_days.won_on(self.deals, self.second_of(day))
        equipment = sales.of_deals(self.deals, won, day, first + len(goods.orders))
        self.ledger.add(day, goods, is_deal=False)
        self.ledger.add(day, equipment, is_deal=True)
        return [goods, equipment]

    def _welcome(self, day: int) -> None:
        converted = newcomers.converted_on(self.world, self.leads, self._open_leads, day)
        number = self.first_number + len(self.simulation.traits)
        self._join(newcomers.arrivals(self.world, self.history, self.leads, converted, number, day), day)
        more = newcomers.new_leads(self.world, self.history, self.leads, day)
        self.leads = newcomers.join_leads(self.leads, more)
        self._open_leads = np.append(self._open_leads, np.ones(len(more.created), dtype=bool))
        self.contacts.grow(len(self.simulation.traits))

    def _join(self, arrivals: world.Traits, day: int) -> None:
        it, before = self.simulation, len(self.simulation.traits)
        it.traits = world.join_traits(it.traits, arrivals)
        world.join_states(it.state, it.traits, self.world.parameters, day)
        rng = day_stream(self.history.seed, day, "favourites")
        segment = np.repeat(arrivals.segment[:, None], orders.FAVOURITES, axis=1)
        self.favourites = np.concatenate([self.favourites, self.world.catalogue.draw(segment, rng)])
        self._true_place = np.append(self._true_place, before + np.arange(len(arrivals)))

    def _welcome_second_ids(self, story: Story) -> None:
        """Give each second id a place of its own, at which nothing ever happens: so numbers stay places."""
        original = story.duplicates.original
        twins = world.some_traits(story.traits, original)
        self._join(twins, self.day)
        place = len(story.traits) + np.arange(len(original))
        self._true_place[place] = original
        state = self.simulation.state
        state.is_gone[place] = True
        for quiet in (state.openness, state.visiting, state.churn_hazard):
            quiet[place] = 0
        state.takes_mail[place] = False
        self.simulation.traits.consents[place] = False
        self.simulation.traits.is_organisation[place] = False

    def open_deals(self, end: int) -> Opportunities:
        """Return the deals as the CRM knows them at second `end`."""
        return opportunities.known_by(self.deals, end)
