"""Leads, deals, their stages and activities after the history, as rows of the CRM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from crm_agents.simulator import activities, columns, leads, opportunities, population
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.forward import deals as deal_days
from crm_agents.simulator.forward import newcomers
from crm_agents.simulator.forward.journal import Journal
from crm_agents.simulator.leads import CONTACTED, CONVERTED, LOST, NEW, QUALIFIED, STATUSES, Leads
from crm_agents.simulator.opportunities import LOST_REASONS, PROSPECTING, STAGES, WON, Opportunities

if TYPE_CHECKING:
    from crm_agents.simulator.forward.books import Books
    from crm_agents.simulator.forward.company import LivingCompany

QUALIFIED_OF_TEN = 3  # of the leads that are lost in the end


def add_leads(books: Books, known: Leads, which: np.ndarray) -> None:
    """Enter leads that have come."""
    some = newcomers.some_leads(known, which)
    some = replace(some, first_number=known.first_number + columns.first(which), status=np.full(len(which), NEW))
    names = population.firm_names(some.firm, some.industry, some.country)
    table = leads.leads_table(some, names, np.full(len(which), -1), books.world.parameters)
    books.journal.insert("leads", table, some.created)


def enter_leads(journal: Journal, known: Leads, which: np.ndarray, end: int) -> None:
    """Enter when leads will be contacted and qualified, from second `end` on."""
    half_way = (known.contacted + known.closed) // 2
    qualifies = known.will_convert | (known.firm % 10 < QUALIFIED_OF_TEN)
    for status, at, is_so in ((CONTACTED, known.contacted, None), (QUALIFIED, half_way, qualifies)):
        chosen = which[(at[which] >= end) & (known.closed[which] > at[which])]
        chosen = chosen if is_so is None else chosen[is_so[chosen]]
        _change_leads(journal, known, chosen, np.full(len(chosen), status), at[chosen], np.full(len(chosen), -1))


def close_leads(journal: Journal, known: Leads, deals: Opportunities, first: int, history_end: int) -> None:
    """Enter the leads that are won or lost on the day that begins at `first`."""
    closes = (known.closed >= max(first, history_end)) & (known.closed < first + DAY)
    was_open = (known.created >= history_end) | newcomers.open_leads(known)
    which = np.flatnonzero(closes & was_open)
    became = opportunities.opportunity_of_lead(deals, known)
    status = np.where(known.will_convert[which], CONVERTED, LOST)
    _change_leads(journal, known, which, status, known.closed[which], became[which])


def _change_leads(
    journal: Journal, known: Leads, which: np.ndarray, status: np.ndarray, at: np.ndarray, deal: np.ndarray
) -> None:
    rows = pa.table(
        {
            "lead_id": columns.ids("L", known.first_number + which),
            "status": columns.pick(STATUSES, status),
            "converted_at": columns.times(at, status != CONVERTED),
            "opportunity_id": columns.some_ids("D", deal, 7, deal >= 0),
        }
    )
    journal.update("leads", rows, at)


def add_deals(books: Books, company: LivingCompany, which: np.ndarray, rng: np.random.Generator) -> None:
    """Enter deals that have begun, and what reps will do for them."""
    some = _numbered(company.deals, which)
    never = np.full(len(some), -1)
    begun = replace(some, closed=never, outcome=never, stage=np.full(len(some), PROSPECTING))
    traits = company.simulation.traits
    table = opportunities.opportunities_table(begun, traits, company.leads, books.world)
    books.journal.insert("opportunities", table, some.created)
    planned = activities.activities_table(books.world, traits, some, rng)
    planned = books.renumbered(planned, "activity_id", "A", 8)
    due, done = _seconds(planned["due_at"]), _seconds(planned["done_at"])
    set_at = np.maximum(due - 3 * DAY, int(some.created.max(initial=0)))
    is_done = done >= 0
    open_rows = planned.select(["activity_id", "rep_id", "customer_id", "opportunity_id", "kind", "subject", "due_at"])
    open_rows = open_rows.append_column("status", pa.array(["open"] * planned.num_rows, pa.string()))
    books.journal.insert("activities", open_rows, set_at)
    later = planned.select(["activity_id", "done_at", "status"])
    books.journal.update("activities", later, np.maximum(np.where(is_done, done, due + 8 * 3600), set_at + 60))


def enter_deals(journal: Journal, deals: Opportunities, which: np.ndarray, end: int) -> None:
    """Enter the stages that deals will reach from second `end` on, the first one included, and how they end."""
    some = _numbered(deals, which)
    deal, place = np.nonzero(some.entered >= 0)
    at = some.entered[deal, place]
    later = at >= end
    deal, place, at = deal[later], place[later], at[later]
    stage = np.where(place == 4, some.outcome[deal], place)
    number = columns.ids("D", deals.first_number + which[deal])
    rows = pa.table(
        {
            "opportunity_id": number,
            "stage": columns.pick(STAGES, stage),
            "entered_at": columns.times(at),
            "rep_id": columns.ids("R", some.owner[deal], 4),
        }
    )
    journal.insert("opportunity_stages", rows, at)
    is_end, wins = place == 4, stage == WON
    final = some.amount - (some.amount * some.discount + 50) // 100
    changes = pa.table(
        {
            "opportunity_id": number,
            "stage": rows["stage"],
            "amount": columns.money_text(np.where(wins, final[deal], some.amount[deal])),
            "closed_at": columns.times(at, ~is_end),
            "is_won": columns.numbers(wins, ~is_end),
            "lost_reason": columns.pick(LOST_REASONS, np.where(is_end & ~wins, some.lost_reason[deal], -1)),
        }
    )
    journal.update("opportunities", changes.filter(pa.array(place > 0)), at[place > 0])


def _numbered(deals: Opportunities, which: np.ndarray) -> Opportunities:
    """Return some deals, which follow each other, under the numbers that they have."""
    return replace(deal_days.some(deals, which), first_number=deals.first_number + columns.first(which))


def _seconds(moments: pa.ChunkedArray) -> np.ndarray:
    return pa.compute.fill_null(moments.cast(pa.timestamp("s")).cast(pa.int64()), -1).to_numpy()
