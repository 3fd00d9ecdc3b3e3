"""The orders of a day: what is in them, when they are sent and come, who pays, what comes back.

What a customer would buy on a day is drawn for every customer, whether or not they order: so the same customer's order of
the same day is the same in every world of a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns, marketing, orders, payments
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.contacts import CONTACT
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.opportunities import Opportunities
from crm_agents.simulator.orders import CANCELLED, COMPLETED, PLACED, RETURNED, SHIPPED, STORE, Lines, Orders
from crm_agents.simulator.population import Traits
from crm_agents.simulator.purchases import PHONE
from crm_agents.simulator.state import NATURAL, World

DISCOUNT_PERCENT = 15  # of a contact that offers one


@dataclass(frozen=True)
class Sales:
    """The orders placed on a day, as they will have turned out, with their lines; `back` are returned ones."""

    orders: Orders
    lines: Lines
    back: Lines
    back_at: np.ndarray  # of each order: when something of it comes back
    cancelled: np.ndarray  # when the order is cancelled, -1 when it is not

    def net_cents(self) -> np.ndarray:
        """Return what each order brings in the end: nothing when it is cancelled, less what comes back."""
        bought = np.bincount(self.lines.order, self.lines.net(), len(self.orders))
        returned = np.bincount(self.back.order, self.back.net(), len(self.orders))
        return np.where(self.cancelled >= 0, 0, bought + returned).astype(np.int64)


def take_orders(
    world: World, traits: Traits, favourites: np.ndarray, events: dict[str, np.ndarray], day: int, first_number: int
) -> Sales:
    """Return the sales of the day from the order events of the daily simulation."""
    seed, second = world.parameters.seed, (columns.epoch_day(world.parameters.first_on) + day) * DAY
    rng = day_stream(seed, day, "orders")
    count, customer = len(traits), events["customer"]
    ordered = _moments(traits, second, rng)
    arrival_hour, back_after = rng.integers(8 * 3600, 19 * 3600, count), rng.random(count)
    would = _orders(1, np.arange(count), day, ordered, _cause_of(events, count))
    lines, _ = orders.fill_baskets(world, traits, would, _no_deals(), day_stream(seed, day, "baskets"), favourites)
    comes_back = rng.random(len(lines.order))
    share = world.parameters.return_share * np.where(world.catalogue.category[lines.product] == orders.TEXTILES, 2, 1)
    placed = _orders(first_number, customer, day, ordered[customer], events["cause"])
    at_store = events["channel"] == STORE
    arrival = np.where(
        at_store, placed.ordered + 60, second + events["delivery_days"].astype(np.int64) * DAY + arrival_hour[customer]
    )
    placed = replace(
        placed, channel=events["channel"].astype(np.int64), grievance=events["grievance"], is_late=events["is_late"],
        promised=np.where(at_store, -1, second + events["promised_days"] * DAY + 20 * 3600), delivered=arrival,
        status=np.where(events["is_cancelled"], CANCELLED, COMPLETED), changed=arrival,
    )  # fmt: skip
    chosen = _of_customers(lines, customer)
    bought = with_numbers(_with_discount(_take(lines, chosen[0], chosen[1]), events["cause"]))
    is_back = (comes_back < share)[chosen[0]] & ~events["is_cancelled"][bought.order]
    return Sales(
        orders=placed,
        lines=orders.with_freight(placed, bought),
        back=_returned(bought, np.flatnonzero(is_back)),
        back_at=arrival + 3 * DAY + (back_after[customer] * 17 * DAY).astype(np.int64),
        cancelled=np.where(events["is_cancelled"], (placed.ordered + arrival) // 2, -1),
    )


def of_deals(deals: Opportunities, won: np.ndarray, day: int, first_number: int) -> Sales:
    """Return the orders of deals that were won on `day`: one line each, at the price agreed."""
    count = len(won)
    placed = _orders(first_number, deals.customer[won], day, deals.closed[won] + 900, np.full(count, NATURAL))
    morning = placed.ordered - placed.ordered % DAY
    placed = replace(
        placed, channel=np.full(count, PHONE), opportunity=won, promised=morning + orders.DEAL_PROMISE_DAYS * DAY + 72_000,
        delivered=morning + orders.DEAL_DELIVERY_DAYS * DAY + 43_200, status=np.full(count, COMPLETED),
    )  # fmt: skip
    quantity, price = deals.quantity[won], deals.amount[won] // np.maximum(deals.quantity[won], 1)
    discount = (quantity * price * deals.discount[won] + 50) // 100
    nothing = np.zeros(count, dtype=np.int64)
    lines = Lines(np.arange(count), nothing + 1, deals.product[won], quantity, price, discount, nothing)
    return Sales(placed, lines, _returned(lines, nothing[:0]), placed.delivered, np.full(count, -1))


def versions(sales: Sales, end: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Return the later states of the orders: (which orders, status, delivered or -1, from which second on).

    Parameters
    ----------
    end : int
        Second from which on changes are of interest: earlier ones are in the first row of the order already.
    """
    it = sales.orders
    is_cancelled, is_sent = sales.cancelled >= 0, it.channel != STORE
    shipped = np.flatnonzero(is_sent & (~is_cancelled | (it.ordered + DAY < sales.cancelled)))
    whole = np.bincount(sales.lines.order, minlength=len(it)) == np.bincount(sales.back.order, minlength=len(it))
    some = np.bincount(sales.back.order, minlength=len(it)) > 0
    parts = [
        (shipped, SHIPPED, None, it.ordered[shipped] + DAY),
        (np.flatnonzero(~is_cancelled), COMPLETED, it.delivered, it.delivered[~is_cancelled]),
        (np.flatnonzero(is_cancelled), CANCELLED, None, sales.cancelled[is_cancelled]),
        (np.flatnonzero(some & whole), RETURNED, it.delivered, sales.back_at[some & whole]),
        (np.flatnonzero(some & ~whole), COMPLETED, it.delivered, sales.back_at[some & ~whole]),
    ]
    found = []
    for which, status, delivered, at in parts:
        later = at >= end
        which, at = which[later], at[later]
        arrived = np.full(len(which), -1) if delivered is None else delivered[which]
        found.append((which, np.full(len(which), status), arrived, at))
    return found


def payment_rows(world: World, traits: Traits, sales: Sales, rng: np.random.Generator) -> pa.Table:
    """Return the payments and refunds that will follow from the orders (`changed_at` says when)."""
    whole = Lines(*(np.concatenate([getattr(sales.lines, name), getattr(sales.back, name)]) for name in LINE_COLUMNS))
    changed = np.where(np.bincount(sales.back.order, minlength=len(sales.orders)) > 0, sales.back_at, 0)
    changed = np.maximum(changed, sales.orders.ordered)
    return payments.payments_table(world, traits, replace(sales.orders, changed=changed), whole, rng)


LINE_COLUMNS = ("order", "line_no", "product", "quantity", "price", "discount", "freight")


def with_numbers(lines: Lines) -> Lines:
    """Return the lines, which stand by order, with their numbers from 1 on."""
    counts = np.bincount(lines.order, minlength=int(lines.order.max()) + 1 if len(lines.order) else 0)
    return replace(lines, line_no=columns.spread(counts)[1] + 1)


def _orders(first_number: int, customer: np.ndarray, day: int, ordered: np.ndarray, cause: np.ndarray) -> Orders:
    nothing = np.zeros(len(customer), dtype=np.int64)
    is_campaign = (cause >= 0) & (cause < CONTACT)
    return Orders(
        first_number=first_number, customer=customer.astype(np.int64), day=nothing + day, ordered=ordered, promised=nothing - 1,
        delivered=nothing - 1, changed=ordered, cause=np.where(is_campaign, cause, NATURAL), channel=nothing,
        status=nothing + PLACED, opportunity=nothing - 1, grievance=nothing * 0.0, is_late=nothing > 0, place_of_event=nothing,
    )  # fmt: skip


def _cause_of(events: dict[str, np.ndarray], customers: int) -> np.ndarray:
    cause = np.full(customers, NATURAL)
    cause[events["customer"]] = events["cause"]
    return cause


def _moments(traits: Traits, second: int, rng: np.random.Generator) -> np.ndarray:
    """Return when on the day each customer would order: never before they were known."""
    count = len(traits)
    hour = np.where(traits.is_organisation, np.clip(rng.normal(11.5, 2.5, count), 7, 18),
                    np.clip(rng.normal(16.5, 3.8, count), 6, 23.4))  # fmt: skip
    moment = second + (hour * 3600).astype(np.int64)
    return np.where(moment > traits.created, moment, np.minimum(traits.created + 900, second + DAY - 120))


def _of_customers(lines: Lines, customer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the lines of each of `customer`, and to which of them each belongs."""
    first = np.searchsorted(lines.order, customer, side="left")
    counts = np.searchsorted(lines.order, customer, side="right") - first
    owner, position = columns.spread(counts)
    return first[owner] + position, owner


def _take(lines: Lines, places: np.ndarray, order: np.ndarray) -> Lines:
    return replace(Lines(*(getattr(lines, name)[places] for name in LINE_COLUMNS)), order=order)


def _with_discount(lines: Lines, cause: np.ndarray) -> Lines:
    offered = (cause == CONTACT + marketing.DISCOUNT)[lines.order]
    off = (lines.quantity * lines.price * DISCOUNT_PERCENT + 50) // 100
    return replace(lines, discount=np.where(offered, off, lines.discount))


def _returned(bought: Lines, places: np.ndarray) -> Lines:
    """Return the lines by which goods come back: what was paid, with a negative quantity, behind the lines bought."""
    it = _take(bought, places, bought.order[places])
    counts = np.bincount(bought.order, minlength=int(bought.order.max()) + 1 if len(bought.order) else 0)
    position = columns.spread(np.bincount(it.order, minlength=len(counts)))[1]
    paid = (it.net() + it.quantity // 2) // np.maximum(it.quantity, 1)
    nothing = np.zeros_like(it.order)
    return Lines(it.order, counts[it.order] + position + 1, it.product, -it.quantity, paid, nothing, nothing)


def _no_deals() -> Opportunities:
    """Return no deals at all (goods bought without an offer)."""
    none = np.zeros(0, dtype=np.int64)
    return Opportunities(1, *([none] * 20))
