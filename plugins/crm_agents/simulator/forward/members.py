"""Campaigns after the history: who is in which arm, who reads, and who buys within the outcome days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns, marketing
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.forward.journal import Journal
from crm_agents.simulator.orders import Orders

if TYPE_CHECKING:
    from crm_agents.simulator.forward.company import LivingCompany

Columns = dict[str, np.ndarray]
NAMES = ("customer", "campaign", "sent", "opened", "clicked", "converted", "until")


class Members:
    """The members of the campaigns whose outcome days run."""

    def __init__(self, journal: Journal, outcome_days: int) -> None:
        self.journal = journal
        self.outcome_days = outcome_days
        self.running: Columns = {name: np.zeros(0, dtype=np.int64) for name in NAMES}

    def launch(self, company: LivingCompany, day: int, events: Columns, rng: np.random.Generator) -> None:
        """Enter the campaigns that begin on `day`, with their members."""
        campaigns, first = company.world.campaigns, company.second_of(day)
        begun = np.flatnonzero(campaigns.day == day)
        treated = np.bincount(events["campaign"][events["treated"]], minlength=len(campaigns.day))
        table = marketing.campaigns_table(campaigns, treated, company.world.parameters).take(pa.array(begun))
        self.journal.insert("campaigns", table, np.full(len(begun), first + 6 * 3600))
        count = len(events["customer"])
        created = company.simulation.traits.created[events["customer"]]
        sent = np.maximum(first + rng.integers(8 * 3600, 11 * 3600, count), np.minimum(created + 60, first + DAY - 60))
        opened = sent + 60 + (rng.exponential(0.35, count) * DAY).astype(np.int64)
        clicked = opened + rng.integers(5, 600, count)
        never = np.full(count, -1)
        fresh = {
            "customer": events["customer"].astype(np.int64), "campaign": events["campaign"].astype(np.int64),
            "sent": np.where(events["treated"], sent, -1), "opened": np.where(events["opened"], opened, -1),
            "clicked": np.where(events["clicked"], clicked, -1), "converted": never,
            "until": np.full(count, first + self.outcome_days * DAY),
        }  # fmt: skip
        key = _key(company, fresh)
        rows = pa.table(key | {
            "sent_at": columns.times(fresh["sent"], fresh["sent"] < 0),
            "arm": columns.pick(("control", "treatment"), events["treated"].astype(int)),
        })  # fmt: skip
        self.journal.insert("campaign_members", rows, sent)
        for flag in ("opened", "clicked"):
            self._change(company, fresh, np.flatnonzero(fresh[flag] >= 0), fresh[flag])
        self.running = {name: np.concatenate([self.running[name], fresh[name]]) for name in NAMES}

    def convert(self, company: LivingCompany, day: int, orders: Orders) -> None:
        """Enter the first order of each member within the outcome days, in both arms."""
        first, it = company.second_of(day), self.running
        self.running = it = {name: values[it["until"] > first] for name, values in it.items()}
        moment = np.full(len(company.simulation.traits), -1)
        moment[orders.customer[::-1]] = orders.ordered[::-1]
        at = moment[it["customer"]]
        buys = np.flatnonzero((it["converted"] < 0) & (at >= 0) & (at < it["until"]))
        it["converted"][buys] = at[buys]
        self._change(company, it, buys, at)

    def _change(self, company: LivingCompany, it: Columns, which: np.ndarray, at: np.ndarray) -> None:
        chosen, at = {name: values[which] for name, values in it.items()}, at[which]
        rows = pa.table(_key(company, chosen) | {
            f"{name}_at": columns.times(chosen[name], (chosen[name] < 0) | (chosen[name] > at))
            for name in ("opened", "clicked", "converted")
        })  # fmt: skip
        self.journal.update("campaign_members", rows, at)


def _key(company: LivingCompany, it: Columns) -> dict[str, pa.Array]:
    return {
        "campaign_id": columns.ids("K", it["campaign"], 4),
        "customer_id": columns.ids("C", company.first_number + it["customer"]),
    }
