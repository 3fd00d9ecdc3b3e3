"""What every customer bought: the visible side on which policies and reports work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crm_agents.simulator.chunk import Story
from crm_agents.simulator.forward.books import FIRST_NUMBER
from crm_agents.simulator.forward.sales import Sales
from crm_agents.simulator.orders import CANCELLED


@dataclass
class Ledger:
    """Orders (arrays over orders): customer, day number, net amount in cents (0 when cancelled, less returns)."""

    customer: np.ndarray
    day: np.ndarray
    net_cents: np.ndarray
    is_deal: np.ndarray
    next_number: int = FIRST_NUMBER

    @classmethod
    def of_history(cls, story: Story) -> Ledger:
        """Return the orders of the history."""
        it = story.orders
        net = np.bincount(story.lines.order, story.lines.net(), len(it)).astype(np.int64)
        return cls(it.customer, it.day, np.where(it.status == CANCELLED, 0, net), it.opportunity >= 0)

    def add(self, day: int, sold: Sales, *, is_deal: bool) -> None:
        """Enter the orders of a day."""
        count = len(sold.orders)
        self.customer = np.append(self.customer, sold.orders.customer)
        self.day = np.append(self.day, np.full(count, day))
        self.net_cents = np.append(self.net_cents, sold.net_cents())
        self.is_deal = np.append(self.is_deal, np.full(count, is_deal))
        self.next_number += count

    def revenue(self, first_day: int, customers: int, *, deals: bool = False) -> np.ndarray:
        """Return what each of `customers` brought from `first_day` on, in currency units; deals apart."""
        chosen = (self.day >= first_day) & (self.is_deal == deals)
        return np.bincount(self.customer[chosen], self.net_cents[chosen], customers) / 100
