"""Payments, refunds and loyalty points: what follows from the money of an order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.orders import CANCELLED, Lines, Orders
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import World

METHODS = ("card", "invoice", "direct debit", "wallet", "voucher")
PERSON_SHARES = (0.45, 0.15, 0.12, 0.24, 0.04)
ORGANISATION_SHARES = (0.1, 0.7, 0.2, 0.0, 0.0)
INVOICE = 1
POINTS_PER_VOUCHER = 200  # one point for each full euro; at every further 200 a voucher is taken
INSTALMENTS = (3, 6)


def payments_table(world: World, traits: Traits, orders: Orders, lines: Lines, rng: np.random.Generator) -> pa.Table:
    """Return payments by method and time, and refunds as payments below zero."""
    end = (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    count, organisation = len(orders), traits.is_organisation[orders.customer]
    bought = np.where(lines.quantity > 0, lines.net() + lines.freight, 0)
    back = np.where(lines.quantity < 0, lines.net(), 0)
    due = np.bincount(lines.order, bought, count).astype(np.int64)
    refund = np.bincount(lines.order, back, count).astype(np.int64)
    method = columns.draw_by_shares(rng.random(count), PERSON_SHARES, ORGANISATION_SHARES, organisation)
    terms = np.where(organisation, 30, 14) * DAY
    wait = np.where(method == INVOICE, rng.gamma(3, terms / 4), rng.integers(30, 600, count)).astype(np.int64)
    paid_at = orders.ordered + wait
    in_parts = (due > 15_000) & ~organisation & (rng.random(count) < 0.12)
    instalments = np.where(in_parts, np.array(INSTALMENTS)[rng.integers(2, size=count)], 1)
    pays = np.flatnonzero((orders.status != CANCELLED) & (paid_at < end) & (due > 0))
    refunded = np.flatnonzero((refund < 0) & (orders.changed < end))
    refund_at = np.minimum(np.maximum(orders.changed[refunded], paid_at[refunded]) + DAY, end - 1)
    order = np.concatenate([pays, refunded])
    when = np.concatenate([paid_at[pays], refund_at])
    amount = np.concatenate([due[pays], refund[refunded]])
    place = np.argsort(when, kind="stable")
    order, when, amount = order[place], when[place], amount[place]
    return pa.table(
        {
            "payment_id": columns.ids("Y", orders.first_number + np.arange(len(order)), 8),
            "order_id": columns.ids("O", orders.first_number + order, 8),
            "method": columns.pick(METHODS, method[order]),
            "amount": columns.money_text(amount),
            "instalments": pa.array(np.where(amount > 0, instalments[order], 1).astype(np.int32)),
            "paid_at": columns.times(when),
            "changed_at": columns.times(when),
        }
    )


def loyalty_table(world: World, traits: Traits, orders: Orders, lines: Lines) -> pa.Table:
    """Return points earned by members with delivered orders, and vouchers taken for each further 200 points."""
    net = np.bincount(lines.order, lines.net(), len(orders)).astype(np.int64)
    earning = np.flatnonzero(traits.is_member[orders.customer] & (orders.delivered >= 0) & (net >= 100))
    earning = earning[np.lexsort((orders.delivered[earning], orders.customer[earning]))]
    points = net[earning] // 100
    customer = orders.customer[earning]
    total = np.cumsum(points)
    first = np.flatnonzero(np.diff(customer, prepend=-1))
    before = np.repeat((total - points)[first], np.diff(np.append(first, len(earning))))
    after = total - before
    vouchers = after // POINTS_PER_VOUCHER - (after - points) // POINTS_PER_VOUCHER
    taking = np.flatnonzero(vouchers > 0)
    source = np.concatenate([np.arange(len(earning)), taking])
    amount = np.concatenate([points, -POINTS_PER_VOUCHER * vouchers[taking]])
    when = orders.delivered[earning][source] + np.repeat([0, 60], [len(earning), len(taking)])
    end = (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    place = np.argsort(when, kind="stable")
    source, amount, when = source[place], amount[place], np.minimum(when[place], end - 1)
    return pa.table(
        {
            "transaction_id": columns.ids("B", orders.first_number * 2 - 1 + np.arange(len(source)), 8),
            "customer_id": columns.ids("C", traits.first_number + customer[source]),
            "occurred_at": columns.times(when),
            "points": pa.array(amount.astype(np.int32)),
            "reason": columns.pick(("purchase", "voucher"), (amount < 0).astype(int)),
            "changed_at": columns.times(when),
        }
    )
