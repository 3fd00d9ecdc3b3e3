"""What is watched where rows arrive: tables, and of each the columns that never change after the row has come.

A column that is filled or changed later (an order's status, a ticket's first response) always looks different for the newest
rows, so it is no place to look for drift.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Watched:
    """A table whose arriving rows are watched.

    Parameters
    ----------
    subject : str
        Name of the table.
    rows : str
        SELECT over the lake with a column ``day`` and every column below.
    categories, numbers : tuple of str
        Columns whose distribution is watched: values as they are, or amounts on a logarithmic scale.
    fills : tuple of str
        Columns of which only is watched whether they are filled; nothing of their content is read.
    """

    subject: str
    rows: str
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()


def _by_day(table: str, moment: str, **columns: tuple[str, ...]) -> Watched:
    return Watched(table, f"select *, {moment}::date as day from raw.{table} where not _deleted", **columns)


WATCHED = (
    _by_day("customers", "created_at", categories=("kind", "country"), fills=("email", "phone")),
    _by_day("orders", "ordered_at", categories=("channel", "currency"), fills=("customer_id",)),
    Watched(
        "order_items",
        "select i.*, o.ordered_at::date as day from raw.order_items i join raw.orders o using (order_id) "
        "where not i._deleted and not o._deleted and i.quantity > 0",
        numbers=("unit_price", "quantity", "discount"),
        fills=("product_id",),
    ),
    _by_day("payments", "paid_at", categories=("method",), numbers=("amount",)),
    # What customers do of their own accord: the company's own mails, and what opens them, come in bursts.
    Watched(
        "interactions",
        "select *, occurred_at::date as day from raw.interactions where not _deleted and direction = 'inbound' "
        "and kind not in ('open', 'click', 'unsubscribe')",
        categories=("channel", "kind"),
        fills=("customer_id",),
    ),
    _by_day("tickets", "opened_at", categories=("channel", "category", "priority"), fills=("customer_id",)),
    _by_day("feedback", "given_at", categories=("kind",), numbers=("score",)),
    _by_day("leads", "created_at", categories=("source", "industry"), fills=("email",)),
    _by_day("opportunities", "created_at", numbers=("amount",), fills=("product_id", "owner_rep_id")),
    _by_day("loyalty_transactions", "occurred_at", categories=("reason",), numbers=("points",)),
)
