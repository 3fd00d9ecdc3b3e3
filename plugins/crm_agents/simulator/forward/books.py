"""The company's bookkeeping: a day's events as the rows that its CRM gets, and when it gets them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns, interactions, population, service
from crm_agents.simulator import orders as order_rows
from crm_agents.simulator.chunk import Story
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.forward import newcomers, pipeline_rows, sales
from crm_agents.simulator.forward.journal import Changes, Journal
from crm_agents.simulator.forward.members import Members
from crm_agents.simulator.forward.world import some_traits
from crm_agents.simulator.orders import CANCELLED, COMPLETED, PLACED, SHIPPED, STATUSES
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.payments import POINTS_PER_VOUCHER
from crm_agents.simulator.state import State, World

if TYPE_CHECKING:
    from crm_agents.simulator.forward.company import LivingCompany

FIRST_NUMBER = 50_000_000  # of rows after the history: no number of the history, which are smaller, comes twice
TICKET_STATUS = pa.array(service.STATUSES)


class Books:
    """Turns events into journal entries, and hands out each day's.

    Parameters
    ----------
    story : Story
        The history: what was under way on its last day is entered at once.
    """

    def __init__(self, world: World, history: Parameters, story: Story) -> None:
        self.world = world
        self.journal = Journal(columns.epoch_day(world.parameters.first_on))
        self.members = Members(self.journal, history.outcome_days)
        self.end = (columns.epoch_day(history.end_on) + 1) * DAY
        self.next_number: dict[str, int] = {}
        first_products = service.first_products(story.lines)
        self.product_of_order = first_products[story.orders.place_of_event]
        self.points = _points_of(story)
        self._orders_under_way(story)
        self._change_tickets(story.tickets)
        pipeline_rows.enter_leads(self.journal, story.leads, np.arange(len(story.leads.created)), self.end)
        pipeline_rows.enter_deals(self.journal, story.coming_deals, np.arange(len(story.coming_deals)), self.end)

    def close(
        self, company: LivingCompany, day: int, events: dict[str, dict[str, np.ndarray]], sold: list[sales.Sales]
    ) -> Changes:
        """Enter what happened on `day`, and return the rows that the CRM gets on that day."""
        rng = day_stream(company.history.seed, day, "rows")
        self._newcomers(company, day, rng)
        for part in sold:
            self._orders(company, part, rng)
        goods = sold[0]
        self.product_of_order = np.append(self.product_of_order, service.first_products(goods.lines))
        self._service(company, events, goods, rng)
        self._interactions(company, day, events, rng)
        self._unsubscriptions(company, day, events)
        self.members.launch(company, day, events["members"], rng)
        self.members.convert(company, day, goods.orders)
        self._deals_and_leads(company, day, rng)
        return self.journal.take(day)

    def renumbered(self, table: pa.Table, column: str, prefix: str, width: int) -> pa.Table:
        """Return the rows with new ids that no row had before."""
        first = self.next_number.get(column, FIRST_NUMBER * (10 if width > 8 else 1))
        self.next_number[column] = first + table.num_rows
        fresh = columns.ids(prefix, first + np.arange(table.num_rows), width)
        return table.set_column(table.schema.get_field_index(column), column, fresh)

    def _newcomers(self, company: LivingCompany, day: int, rng: np.random.Generator) -> None:
        traits = company.simulation.traits
        places = np.flatnonzero(traits.created_day == day)
        fresh = replace(some_traits(traits, places), first_number=company.first_number + columns.first(places))
        self.journal.insert("customers", population.identities_table(fresh, rng), fresh.created)
        state = State.new(fresh, company.history)
        consents = interactions.consents_table(self.world, fresh, state, rng)
        self.journal.insert("consents", consents, np.repeat(fresh.created, len(interactions.PURPOSES)))

    def _orders(self, company: LivingCompany, sold: sales.Sales, rng: np.random.Generator) -> None:
        it, traits = sold.orders, company.simulation.traits
        names = columns.ids("C", company.first_number + np.arange(len(traits)))
        placed = replace(it, status=np.full(len(it), PLACED), delivered=np.full(len(it), -1))
        table = order_rows.orders_table(placed, names, it.customer, traits, company.deals)
        numbers = table["order_id"].combine_chunks()
        self.journal.insert("orders", table, it.ordered)
        lines = order_rows.lines_table(sold.lines, numbers, self.world, it)
        self.journal.insert("order_items", lines, it.ordered[sold.lines.order])
        back = order_rows.lines_table(sold.back, numbers, self.world, it)
        self.journal.insert("order_items", back, sold.back_at[sold.back.order])
        for which, status, delivered, at in sales.versions(sold, 0):
            self._change_orders(it.first_number + which, status, delivered, at)
        paid = self.renumbered(sales.payment_rows(self.world, traits, sold, rng), "payment_id", "Y", 8)
        self.journal.insert("payments", paid, _seconds(paid["paid_at"]))
        self._loyalty(company, it, sold.net_cents())

    def _change_orders(self, number: np.ndarray, status: np.ndarray, delivered: np.ndarray, at: np.ndarray) -> None:
        rows = pa.table(
            {
                "order_id": columns.ids("O", number, 8),
                "status": columns.pick(STATUSES, status),
                "delivered_at": columns.times(delivered, delivered < 0),
            }
        )
        self.journal.update("orders", rows, at)

    def _orders_under_way(self, story: Story) -> None:
        """Enter the deliveries of orders that the history left on their way."""
        it, which = story.orders, np.flatnonzero(np.isin(story.orders.status, (PLACED, SHIPPED)))
        days = np.full(len(it), order_rows.DEAL_DELIVERY_DAYS)
        days[it.place_of_event] = story.events["orders"]["delivery_days"]
        ordered, number = it.ordered[which], it.first_number + which
        arrival = np.maximum(ordered - ordered % DAY + days[which] * DAY + 43_200, self.end + 3600)
        waiting = it.status[which] == PLACED
        never = np.full(len(which), -1)
        sent_at = np.maximum(ordered + DAY, self.end)
        shipped = np.full(len(which), SHIPPED)
        self._change_orders(number[waiting], shipped[waiting], never[waiting], sent_at[waiting])
        self._change_orders(number, np.full(len(which), COMPLETED), arrival, np.maximum(arrival, sent_at + 60))

    def _loyalty(self, company: LivingCompany, orders: order_rows.Orders, net_cents: np.ndarray) -> None:
        """Enter the points that members earn with what is delivered, and the vouchers that they take for them."""
        members = company.simulation.traits.is_member
        self.points = np.append(self.points, np.zeros(len(members) - len(self.points), dtype=np.int64))
        earning = np.flatnonzero(members[orders.customer] & (orders.status != CANCELLED) & (net_cents >= 100))
        earning = earning[np.unique(orders.customer[earning], return_index=True)[1]]  # one order a day and customer
        customer, points, at = orders.customer[earning], net_cents[earning] // 100, orders.delivered[earning]
        vouchers = (self.points[customer] + points) // POINTS_PER_VOUCHER - self.points[customer] // POINTS_PER_VOUCHER
        self.points[customer] += points
        takes = vouchers > 0
        rows = pa.table(
            {
                "transaction_id": pa.nulls(len(earning) + int(takes.sum()), pa.string()),
                "customer_id": columns.ids("C", company.first_number + np.append(customer, customer[takes])),
                "occurred_at": columns.times(np.append(at, at[takes] + 60)),
                "points": pa.array(np.append(points, -POINTS_PER_VOUCHER * vouchers[takes]).astype(np.int32)),
                "reason": columns.pick(("purchase", "voucher"), np.repeat([0, 1], [len(earning), int(takes.sum())])),
            }
        )
        rows = self.renumbered(rows, "transaction_id", "B", 8)
        self.journal.insert("loyalty_transactions", rows, np.append(at, at[takes] + 60))

    def _service(
        self, company: LivingCompany, events: dict[str, dict[str, np.ndarray]], goods: sales.Sales,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        traits = company.simulation.traits
        tickets = self._tickets(events["tickets"], rng)
        table = service.tickets_table(self.world, traits, tickets, rng)
        nothing = pa.nulls(len(tickets), pa.timestamp("s"))
        for column, value in (
            ("first_response_at", nothing), ("closed_at", nothing), ("status", pa.array(["open"] * len(tickets))),
        ):  # fmt: skip
            table = table.set_column(table.schema.get_field_index(column), column, value.cast(table[column].type))
        self.journal.insert("tickets", table, tickets.opened)
        self._change_tickets(tickets)
        feedback = service.feedback_table(
            self.world, traits, tickets, events["surveys"], goods.orders, sales.with_numbers(goods.lines), rng
        )
        feedback = self.renumbered(feedback, "feedback_id", "F", 8)
        self.journal.insert("feedback", feedback, _seconds(feedback["given_at"]))

    def _tickets(self, events: dict[str, np.ndarray], rng: np.random.Generator) -> service.Tickets:
        opened = service.moments(events["day"], self.world, rng)
        anything = rng.integers(len(self.world.catalogue.category), size=len(opened))
        about = np.where(events["order"] >= 0, self.product_of_order[np.maximum(events["order"], 0)], anything)
        first = self.next_number.get("ticket_id", FIRST_NUMBER)
        self.next_number["ticket_id"] = first + len(opened)
        return service.Tickets(
            first_number=first, customer=events["customer"].astype(np.int64), opened=opened,
            answered=(opened + events["response_hours"] * 3600).astype(np.int64),
            closed=(opened + events["resolve_hours"] * 3600).astype(np.int64), category=events["category"],
            grievance=events["grievance"], product=about,
        )  # fmt: skip

    def _change_tickets(self, tickets: service.Tickets) -> None:
        """Enter the answers and the closings that come after the history."""
        for status, at in ((1, tickets.answered), (2, tickets.closed)):
            which = np.flatnonzero(at >= self.end)
            rows = pa.table(
                {
                    "ticket_id": columns.ids("T", tickets.first_number + which, 8),
                    "status": columns.pick(TICKET_STATUS, np.full(len(which), status)),
                    "first_response_at": columns.times(tickets.answered[which]),
                    "closed_at": columns.times(tickets.closed[which], np.full(len(which), status != 2)),
                }
            )
            self.journal.update("tickets", rows, at[which])

    def _interactions(
        self, company: LivingCompany, day: int, events: dict[str, dict[str, np.ndarray]], rng: np.random.Generator
    ) -> None:
        first = company.second_of(day)
        todays = np.flatnonzero(company.leads.created >= first)
        leads = newcomers.some_leads(company.leads, todays)
        leads = replace(leads, first_number=leads.first_number + columns.first(todays))
        table = interactions.interactions_table(self.world, company.simulation.traits, leads, events, rng)
        # Visits of a lead before it was one are seen when it is: on the day on which it comes.
        at = np.maximum(_seconds(table["occurred_at"]), first)
        table = table.set_column(table.schema.get_field_index("occurred_at"), "occurred_at", columns.times(at))
        self.journal.insert("interactions", self.renumbered(table, "interaction_id", "I", 9), at)

    def _unsubscriptions(self, company: LivingCompany, day: int, events: dict[str, dict[str, np.ndarray]]) -> None:
        gone = [events[kind]["customer"][events[kind]["unsubscribed"]] for kind in ("mails", "members")]
        customer = np.unique(np.concatenate(gone))
        at = np.full(len(customer), company.second_of(day) + 22 * 3600)
        at = np.maximum(at, company.simulation.traits.created[customer])
        rows = pa.table(
            {
                "customer_id": columns.ids("C", company.first_number + customer),
                "channel": pa.array(["email"] * len(customer), pa.string()),
                "purpose": pa.array(["marketing"] * len(customer), pa.string()),
                "granted": pa.array(np.zeros(len(customer), dtype=bool)),
                "captured_at": columns.times(at),
            }
        )
        self.journal.update("consents", rows, at)

    def _deals_and_leads(self, company: LivingCompany, day: int, rng: np.random.Generator) -> None:
        first = company.second_of(day)
        fresh = np.flatnonzero(company.leads.created >= first)
        pipeline_rows.add_leads(self, company.leads, fresh)
        pipeline_rows.enter_leads(self.journal, company.leads, fresh, first)
        pipeline_rows.close_leads(self.journal, company.leads, company.deals, first, self.end)
        begun = np.flatnonzero(company.deals.created >= first)
        pipeline_rows.add_deals(self, company, begun, rng)
        pipeline_rows.enter_deals(self.journal, company.deals, begun, first)


def _points_of(story: Story) -> np.ndarray:
    """Return the points that each customer has earned in the history (vouchers taken not deducted)."""
    net = np.bincount(story.lines.order, story.lines.net(), len(story.orders)).astype(np.int64)
    earns = (story.orders.delivered >= 0) & (net >= 100) & story.traits.is_member[story.orders.customer]
    earned = np.bincount(story.orders.customer[earns], net[earns] // 100, len(story.traits))
    return earned.astype(np.int64)


def _seconds(moments: pa.ChunkedArray) -> np.ndarray:
    return moments.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy()
