"""Tickets and feedback as the CRM exports them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns, text
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.orders import COMPLETED, Lines, Orders
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import World
from crm_agents.simulator.troubles import CATEGORIES, DELIVERY, QUALITY

CHANNELS = ("email", "phone", "chat", "web")
CHANNEL_SHARES = (0.45, 0.3, 0.15, 0.1)
PRIORITIES = ("low", "normal", "high")
STATUSES = ("open", "pending", "closed")
FEEDBACK_KINDS = ("review", "csat", "nps")
REVIEW_SHARE = 0.09
CSAT_SHARE = 0.4


@dataclass(frozen=True)
class Tickets:
    """Tickets of a chunk, by time (arrays over tickets; seconds since 1970, possibly after the last day)."""

    first_number: int
    customer: np.ndarray
    opened: np.ndarray
    answered: np.ndarray
    closed: np.ndarray
    category: np.ndarray
    grievance: np.ndarray
    product: np.ndarray  # that it is about

    def __len__(self) -> int:
        """Return the number of tickets."""
        return len(self.customer)


def make_tickets(
    world: World, traits: Traits, events: dict[str, np.ndarray], orders: Orders, lines: Lines, rng: np.random.Generator
) -> Tickets:
    """Put times and products to the ticket events of the daily simulation."""
    opened = moments(events["day"], world, rng)
    anything = rng.integers(len(world.catalogue.category), size=len(opened))
    has_order = events["order"] >= 0
    product = anything
    if has_order.any():
        product[has_order] = first_products(lines)[orders.place_of_event[events["order"][has_order]]]
    by_time = np.argsort(opened, kind="stable")
    return Tickets(
        first_number=orders.first_number,
        customer=events["customer"][by_time],
        opened=opened[by_time],
        answered=(opened + events["response_hours"] * 3600).astype(np.int64)[by_time],
        closed=(opened + events["resolve_hours"] * 3600).astype(np.int64)[by_time],
        category=events["category"][by_time],
        grievance=events["grievance"][by_time],
        product=product[by_time],
    )


def tickets_table(world: World, traits: Traits, tickets: Tickets, rng: np.random.Generator) -> pa.Table:
    """Return the chunk's tickets."""
    count, end = len(tickets), (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    is_closed, is_answered = tickets.closed < end, tickets.answered < end
    urgency = np.isin(tickets.category, (DELIVERY, QUALITY)).astype(int) + (tickets.grievance > 0.9)
    subject, body = text.ticket_texts(tickets.category, columns.pick(world.catalogue.names, tickets.product), rng)
    newest = np.where(is_closed, tickets.closed, np.where(is_answered, tickets.answered, tickets.opened))
    return pa.table(
        {
            "ticket_id": columns.ids("T", tickets.first_number + np.arange(count), 8),
            "customer_id": columns.ids("C", traits.first_number + tickets.customer),
            "opened_at": columns.text_times(tickets.opened),
            "first_response_at": columns.times(tickets.answered, ~is_answered),
            "closed_at": columns.times(tickets.closed, ~is_closed),
            "channel": columns.pick(CHANNELS, rng.choice(len(CHANNELS), count, p=CHANNEL_SHARES)),
            "subject": subject,
            "body": body,
            "status": columns.pick(STATUSES, np.where(is_closed, 2, is_answered.astype(int))),
            "priority": columns.pick(PRIORITIES, urgency),
            "category": columns.pick(CATEGORIES, tickets.category),
            "assignee_rep_id": columns.ids("R", rng.integers(world.team.sellers, size=count), 4),
            "changed_at": columns.times(newest),
        }
    )


def feedback_table(
    world: World, traits: Traits, tickets: Tickets, surveys: dict[str, np.ndarray], orders: Orders, lines: Lines,
    rng: np.random.Generator,
) -> pa.Table:  # fmt: skip
    """Return reviews of orders, satisfaction after tickets (csat), and quarterly recommendation scores (nps).

    All three fall with the grievance that the customer bore at the time.
    """
    reviewed = np.flatnonzero((orders.status == COMPLETED) & (rng.random(len(orders)) < REVIEW_SHARE))
    rated = np.flatnonzero(rng.random(len(tickets)) < CSAT_SHARE)
    mood = 4.5 - 1.6 * orders.is_late[reviewed] - 1.2 * orders.grievance[reviewed]
    stars = _rounded(mood, 0.8, 1, 5, rng)
    score = np.concatenate([
        stars,
        _rounded(4.6 - 1.5 * tickets.grievance[rated], 0.8, 1, 5, rng),
        _rounded(8.6 - 4 * surveys["grievance"], 1.6, 0, 10, rng),
    ])  # fmt: skip
    given = np.concatenate([
        orders.delivered[reviewed] + rng.integers(DAY // 2, 9 * DAY, len(reviewed)),
        tickets.closed[rated] + 1800,
        moments(surveys["day"], world, rng),
    ])  # fmt: skip
    kind = np.repeat([0, 1, 2], [len(reviewed), len(rated), len(surveys["day"])])
    customer = np.concatenate([orders.customer[reviewed], tickets.customer[rated], surveys["customer"]])
    subject = np.concatenate([reviewed, rated, np.zeros(len(surveys["day"]), dtype=np.int64)])
    about = columns.pick(world.catalogue.names, first_products(lines)[reviewed])
    texts = pa.concat_arrays([text.review_texts(stars, about, rng), pa.nulls(len(kind) - len(stars), pa.string())])
    end = (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    keep = np.flatnonzero(given < end)
    keep = keep[np.argsort(given[keep], kind="stable")]
    kind, customer, subject, given = kind[keep], customer[keep], subject[keep], given[keep]
    return pa.table(
        {
            "feedback_id": columns.ids("F", orders.first_number + np.arange(len(keep)), 8),
            "customer_id": columns.ids("C", traits.first_number + customer),
            "order_id": columns.some_ids("O", orders.first_number + subject, 8, kind == 0),
            "ticket_id": columns.some_ids("T", tickets.first_number + subject, 8, kind == 1),
            "given_at": columns.times(given),
            "kind": columns.pick(FEEDBACK_KINDS, kind),
            "score": pa.array(score[keep].astype(np.int32)),
            "text": texts.take(pa.array(keep)),
            "changed_at": columns.times(given),
        }
    )


def first_products(lines: Lines) -> np.ndarray:
    """Return the product on the first line of each order."""
    return lines.product[lines.line_no == 1]


def moments(day: np.ndarray, world: World, rng: np.random.Generator) -> np.ndarray:
    """Return a time of the waking hours on each day number, in seconds since 1970."""
    start = columns.epoch_day(world.parameters.first_on)
    return (start + day.astype(np.int64)) * DAY + rng.integers(7 * 3600, 22 * 3600, len(day))


def _rounded(mean: np.ndarray, noise: float, low: int, high: int, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.round(mean + rng.normal(0, noise, len(mean))), low, high).astype(np.int64)
