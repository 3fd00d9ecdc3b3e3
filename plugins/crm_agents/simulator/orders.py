"""Orders and their lines: what is in the basket, at what price, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.opportunities import Opportunities
from crm_agents.simulator.population import Traits
from crm_agents.simulator.purchases import ORDER_CHANNELS, PHONE, STORE
from crm_agents.simulator.state import NATURAL, World

FAVOURITES = 6
MOST_LINES = 12
DISCOUNTS = np.array([5, 10, 15, 20])  # percent
FREIGHT_CENTS, FREE_FREIGHT_CENTS = 490, 5000
STATUSES = ("placed", "shipped", "completed", "cancelled", "returned")
PLACED, SHIPPED, COMPLETED, CANCELLED, RETURNED = range(5)
DEAL_CHANNEL = PHONE
ROWS_PER_CUSTOMER = 40  # room for order numbers
DEAL_DELIVERY_DAYS, DEAL_PROMISE_DAYS = 9, 10
TEXTILES = 6  # come back twice as often


@dataclass(frozen=True)
class Orders:
    """Orders of a chunk, by time (arrays over orders; times in seconds since 1970, -1 when not yet)."""

    first_number: int
    customer: np.ndarray
    day: np.ndarray
    ordered: np.ndarray
    promised: np.ndarray
    delivered: np.ndarray
    changed: np.ndarray
    cause: np.ndarray
    channel: np.ndarray
    status: np.ndarray
    opportunity: np.ndarray  # number within the chunk; -1 when none
    grievance: np.ndarray
    is_late: np.ndarray
    place_of_event: np.ndarray  # order event of the log -> place in these arrays

    def __len__(self) -> int:
        """Return the number of orders."""
        return len(self.customer)


@dataclass(frozen=True)
class Lines:
    """Lines of a chunk's orders, in the order of `Orders` (amounts in cents)."""

    order: np.ndarray
    line_no: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    price: np.ndarray
    discount: np.ndarray
    freight: np.ndarray

    def net(self) -> np.ndarray:
        """Return each line's amount after discount, without freight."""
        return self.quantity * self.price - self.discount


def make_orders(
    world: World, traits: Traits, events: dict[str, np.ndarray], deals: Opportunities, rng: np.random.Generator
) -> Orders:
    """Put times to the order events of the daily simulation and add the orders of won opportunities."""
    won = deals.won
    start = columns.epoch_day(world.parameters.first_on) * DAY
    end = start + world.parameters.days * DAY
    moments = _order_times(traits, events, deals, start, end, rng)
    order = np.argsort(moments, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))

    def both(of_events: np.ndarray, of_deals: np.ndarray | float) -> np.ndarray:
        return np.concatenate([of_events, np.broadcast_to(of_deals, len(won))])[order]

    ordered, channel = moments[order], both(events["channel"], DEAL_CHANNEL)
    status, promised, delivered, changed = _fulfil(
        ordered, channel, both(events["is_cancelled"], False), both(events["promised_days"], DEAL_PROMISE_DAYS),
        both(events["delivery_days"], DEAL_DELIVERY_DAYS), end, rng,
    )  # fmt: skip
    return Orders(
        first_number=traits.numbers_from(ROWS_PER_CUSTOMER),
        customer=both(events["customer"], deals.customer[won]),
        day=((ordered - start) // DAY).astype(np.int32),
        ordered=ordered,
        promised=promised,
        delivered=delivered,
        changed=changed,
        cause=both(events["cause"], NATURAL),
        channel=channel,
        status=status,
        opportunity=both(np.full(len(events["customer"]), -1), won),
        grievance=both(events["grievance"], 0.0),
        is_late=both(events["is_late"], False),
        place_of_event=place[: len(events["customer"])],
    )


def _order_times(
    traits: Traits, events: dict[str, np.ndarray], deals: Opportunities, start: int, end: int, rng: np.random.Generator
) -> np.ndarray:
    """Return when the order events, and behind them the orders of won deals, were placed: never before the customer."""
    customer, won = events["customer"], deals.won
    hour = np.where(traits.is_organisation[customer], np.clip(rng.normal(11.5, 2.5, len(customer)), 7, 18),
                    np.clip(rng.normal(16.5, 3.8, len(customer)), 6, 23.4))  # fmt: skip
    ordered = start + events["day"].astype(np.int64) * DAY + (hour * 3600).astype(np.int64)
    created = traits.created[customer]
    too_early = ordered <= created
    ordered[too_early] = np.minimum(created[too_early] + rng.integers(60, 3000, int(too_early.sum())), end - 1)
    agreed = np.minimum(deals.closed[won] + rng.integers(600, 2 * 3600, len(won)), end - 1)
    return np.concatenate([ordered, agreed])


def _fulfil(
    ordered: np.ndarray, channel: np.ndarray, is_cancelled: np.ndarray, promised_days: np.ndarray,
    delivery_days: np.ndarray, end: int, rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return what became of the orders: status, promised and delivered (-1 when not), and when the status was reached."""
    is_sent = channel != STORE
    promised = ordered - ordered % DAY + promised_days * DAY + 20 * 3600
    arrival = ordered - ordered % DAY + delivery_days * DAY + rng.integers(8 * 3600, 19 * 3600, len(ordered))
    arrival = np.where(is_sent, arrival, ordered + 60)
    has_arrived = (arrival < end) & ~is_cancelled
    is_shipped = ordered + DAY < end
    status = np.where(has_arrived, COMPLETED, np.where(is_shipped, SHIPPED, PLACED))
    status[is_cancelled] = CANCELLED
    cancelled = np.minimum((ordered + arrival) // 2, end - 1)  # while the parcel is packed or on its way
    reached = np.select(
        [status == CANCELLED, status == COMPLETED, status == SHIPPED], [cancelled, arrival, ordered + DAY], ordered
    )
    return status, np.where(is_sent, promised, -1), np.where(has_arrived, arrival, -1), reached


def make_lines(
    world: World, traits: Traits, orders: Orders, deals: Opportunities, rng: np.random.Generator
) -> tuple[Orders, Lines, np.ndarray]:
    """Fill the baskets, and take some of it back.

    Returns
    -------
    Orders
        With the status ``returned`` where everything came back.
    Lines
        Returns are further lines of the same order with a negative quantity.
    numpy.ndarray
        Favourite products of each customer.
    """
    bought, favourites = fill_baskets(world, traits, orders, deals, rng)
    orders, lines = _with_returns(world, orders, bought, rng)
    return orders, with_freight(orders, lines), favourites


def fill_baskets(
    world: World, traits: Traits, orders: Orders, deals: Opportunities, rng: np.random.Generator,
    favourites: np.ndarray | None = None,
) -> tuple[Lines, np.ndarray]:  # fmt: skip
    """Return what is bought (no freight, `line_no` 0), by order, and each customer's favourites, drawn when not given."""
    counts = 1 + rng.poisson(world.parameters.more_lines * np.where(traits.is_organisation[orders.customer], 1.3, 1))
    counts = np.where(orders.opportunity >= 0, 1, np.minimum(counts, MOST_LINES))
    order, position = columns.spread(counts)
    if favourites is None:
        favourites = world.catalogue.draw(np.repeat(traits.segment[:, None], FAVOURITES, axis=1), rng)
    product = _baskets(world, traits, orders, order, position, favourites, rng)
    product = world.catalogue.available(product, orders.day[order])
    product = _of_deals(product, deals.product, orders.opportunity[order])
    order, product = _without_repeats(order, product, len(world.catalogue.category))
    deal = orders.opportunity[order]
    quantity = 1 + rng.poisson(np.where(traits.is_organisation[orders.customer[order]], 2.5, 0.35))
    quantity = _of_deals(quantity, deals.quantity, deal)
    agreed = deals.amount // np.maximum(deals.quantity, 1)
    price = _of_deals(world.catalogue.price(product, orders.day[order]), agreed, deal)
    percent = _of_deals(_order_discounts(world, traits, orders, rng)[order], deals.discount, deal)
    nothing = np.zeros_like(order)
    discount = (quantity * price * percent + 50) // 100
    return Lines(order, nothing, product, quantity, price, discount, freight=nothing), favourites


def _of_deals(values: np.ndarray, of_deals: np.ndarray, deal: np.ndarray) -> np.ndarray:
    """Return `values` with what was agreed in the deal where a line comes from one (`deal` is -1 elsewhere)."""
    agreed = values.copy()
    agreed[deal >= 0] = of_deals[deal[deal >= 0]]
    return agreed


def _baskets(
    world: World, traits: Traits, orders: Orders, order: np.ndarray, position: np.ndarray, favourites: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Draw products: the customer's favourites, companions of the first product, or something of the segment's taste."""
    catalogue, count = world.catalogue, len(order)
    customer = orders.customer[order]
    product = catalogue.draw(traits.segment[customer], rng)
    source = rng.random(count)
    repeats = world.parameters.favourite_share * (1 - traits.novelty[customer])
    companion = np.where(position > 0, world.parameters.companion_share, 0)
    favourite = (source >= companion) & (source < companion + (1 - companion) * repeats)
    product[favourite] = favourites[customer[favourite], rng.integers(FAVOURITES, size=int(favourite.sum()))]
    mates = np.flatnonzero(source < companion)
    first = product[np.flatnonzero(position == 0)]
    product[mates] = catalogue.mates[first[order[mates]], rng.integers(catalogue.mates.shape[1], size=len(mates))]
    return product


def _without_repeats(order: np.ndarray, product: np.ndarray, products: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines with each product once per order."""
    key = columns.distinct(order * products + product)
    return key // products, key % products


def _order_discounts(world: World, traits: Traits, orders: Orders, rng: np.random.Generator) -> np.ndarray:
    """Return the percentage off each order: the price-sensitive wait for discounts; discount campaigns give one."""
    sensitivity = traits.price_sensitivity[orders.customer]
    percent = DISCOUNTS[rng.integers(len(DISCOUNTS), size=len(orders))]
    percent = np.where(rng.random(len(orders)) < 0.03 + 0.5 * sensitivity**2, percent, 0)
    by_campaign = orders.cause >= 0
    is_discount = world.campaigns.action[np.maximum(orders.cause, 0)] == 0 if len(world.campaigns.action) else False
    return np.where(by_campaign & is_discount, 15, percent)


def _with_returns(world: World, orders: Orders, bought: Lines, rng: np.random.Generator) -> tuple[Orders, Lines]:
    end = (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    share = world.parameters.return_share * np.where(world.catalogue.category[bought.product] == TEXTILES, 2, 1)
    back_at = orders.delivered + (3 * DAY) + (rng.random(len(orders)) * 17 * DAY).astype(np.int64)
    can_return = (orders.status == COMPLETED) & (orders.opportunity < 0) & (back_at < end)
    back = np.flatnonzero((rng.random(len(bought.order)) < share) & can_return[bought.order])
    order = bought.order[back]
    counts = np.bincount(bought.order, minlength=len(orders))
    returned = np.bincount(order, minlength=len(orders))
    status, changed = orders.status.copy(), orders.changed.copy()
    status[returned == counts] = RETURNED
    changed[order] = back_at[order]
    # A refund is what was paid: the price on a returned line is the price after discount.
    paid = (bought.net()[back] + bought.quantity[back] // 2) // bought.quantity[back]
    nothing = np.zeros_like(order)
    refunds = Lines(order, nothing, bought.product[back], -bought.quantity[back], paid, nothing, nothing)
    lines = _concatenated(bought, refunds)
    position = columns.spread(counts + returned)[1]
    return replace(orders, status=status, changed=changed), replace(lines, line_no=position + 1)


def _concatenated(bought: Lines, refunds: Lines) -> Lines:
    """Return all lines by order, those bought first."""
    place = np.argsort(np.concatenate([bought.order, refunds.order]), kind="stable")
    names = [item.name for item in fields(Lines)]
    both = {name: np.concatenate([getattr(bought, name), getattr(refunds, name)]) for name in names}
    return Lines(**{name: values[place] for name, values in both.items()})


def with_freight(orders: Orders, lines: Lines) -> Lines:
    """Put freight on the first line of small orders that are sent."""
    goods = np.bincount(lines.order, np.maximum(lines.net(), 0), len(orders))
    pays = (goods < FREE_FREIGHT_CENTS) & (orders.channel != STORE) & (orders.opportunity < 0)
    return replace(lines, freight=np.where((lines.line_no == 1) & pays[lines.order], FREIGHT_CENTS, 0))


def orders_table(
    orders: Orders, customer_ids: pa.Array, shown_customer: np.ndarray, traits: Traits, deals: Opportunities
) -> pa.Table:
    """Return the chunk's orders as a clean export.

    Parameters
    ----------
    customer_ids : pyarrow.Array
        Ids of the chunk's customers, duplicates behind them.
    shown_customer : numpy.ndarray
        Place in `customer_ids` under which each order stands: a person with two ids has orders under both.
    """
    owner = traits.owner[orders.customer]
    return pa.table(
        {
            "order_id": columns.ids("O", orders.first_number + np.arange(len(orders)), 8),
            "customer_id": columns.pick(customer_ids, shown_customer),
            "ordered_at": columns.text_times(orders.ordered),
            "status": columns.pick(STATUSES, orders.status),
            "channel": columns.pick(ORDER_CHANNELS, orders.channel),
            "rep_id": columns.some_ids("R", owner, 4, (owner >= 0) & (orders.channel == PHONE)),
            "opportunity_id": columns.some_ids(
                "D", deals.first_number + orders.opportunity, 7, orders.opportunity >= 0
            ),
            "promised_at": columns.times(orders.promised, orders.promised < 0),
            "delivered_at": columns.times(orders.delivered, orders.delivered < 0),
            "changed_at": columns.times(orders.changed),
        }
    )


def lines_table(lines: Lines, order_ids: pa.Array, world: World, orders: Orders) -> pa.Table:
    """Return the chunk's order lines as a clean export."""
    return pa.table(
        {
            "order_id": order_ids.take(pa.array(lines.order)),
            "line_no": pa.array(lines.line_no.astype(np.int32)),
            "product_id": columns.pick(columns.ids("P", np.arange(len(world.catalogue.category)), 5), lines.product),
            "seller_id": columns.pick(columns.ids("S", np.arange(100), 2), world.catalogue.seller[lines.product]),
            "quantity": pa.array(lines.quantity.astype(np.int32)),
            "unit_price": columns.money_text(lines.price),
            "discount": columns.money(lines.discount),
            "freight": columns.money(lines.freight),
            "changed_at": columns.times(orders.changed[lines.order]),
        }
    )
