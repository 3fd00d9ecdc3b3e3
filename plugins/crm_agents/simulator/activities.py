"""What reps do for their deals: calls, mails, meetings and tasks, done and still to do."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.opportunities import PROPOSAL, Opportunities
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import World

KINDS = ("call", "email", "meeting", "task")
CALL, EMAIL, MEETING, TASK = range(4)
KIND_SHARES = (0.3, 0.4, 0.1, 0.2)
SUBJECTS = (
    ("Call about the offer", "First call", "Follow-up call", "Call back"),
    ("Sent information", "Answered questions", "Sent reference", "Reminder by mail"),
    ("Meeting on site", "Video meeting", "Demonstration", "Meeting with the decision maker"),
    ("Prepare offer", "Check credit", "Update the plan", "Ask the product team"),
)
ACTIVITIES_PER_STAGE = 1.1
MEETINGS_BY_INTEREST = 0.6  # interested customers find time to meet: hidden interest shows here
MISSED_SHARE = 0.04
ROWS_PER_CUSTOMER = 20  # room for activity numbers


def activities_table(world: World, traits: Traits, deals: Opportunities, rng: np.random.Generator) -> pa.Table:
    """Return the chunk's activities, by due time."""
    end = (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    next_steps = _next_steps(deals, end, rng)
    parts = [_offer_calls(world, deals, rng), _routine(deals, end, rng), _meetings(deals, end, rng), next_steps]
    deal, kind, due = (np.concatenate(column) for column in zip(*parts, strict=True))
    is_waiting = np.arange(len(due)) >= len(due) - len(next_steps[0])
    order = np.argsort(due, kind="stable")
    deal, kind, due, is_waiting = deal[order], kind[order], due[order], is_waiting[order]
    # Two days stay the bound of the offer calls, so these are done when they are due.
    done = due + np.where(kind == CALL, 0, rng.integers(0, 8 * 3600, len(due)))
    is_missed = (kind != CALL) & (rng.random(len(due)) < MISSED_SHARE)
    is_open = is_waiting | (done >= end) | (is_missed & (due > end - 60 * DAY))
    status = np.where(is_open, 0, np.where(is_missed, 2, 1))
    set_at = np.maximum(deals.created[deal], due - 3 * DAY)
    changed = np.where(status == 1, done, np.where(is_open, set_at, due))
    subject = kind * len(SUBJECTS[0]) + rng.integers(len(SUBJECTS[0]), size=len(due))
    subject = np.where(_is_offer_call(deals, deal, kind, due), 0, subject)
    return pa.table(
        {
            "activity_id": columns.ids("A", traits.numbers_from(ROWS_PER_CUSTOMER) + np.arange(len(due)), 8),
            "rep_id": columns.ids("R", deals.owner[deal], 4),
            "customer_id": columns.ids("C", traits.first_number + deals.customer[deal]),
            "opportunity_id": columns.ids("D", deals.first_number + deal),
            "kind": columns.pick(KINDS, kind),
            "subject": columns.pick([subject for group in SUBJECTS for subject in group], subject),
            "due_at": columns.times(due),
            "done_at": columns.times(done, status != 1),
            "status": columns.pick(("open", "done", "cancelled"), status),
            "changed_at": columns.times(np.minimum(changed, end - 1)),
        }
    )


Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # deal, kind, due


def _offer_calls(world: World, deals: Opportunities, rng: np.random.Generator) -> Rows:
    """Calls after offers: within two days where the rep was quick, later or never where not."""
    days = world.parameters.call_after_offer_days
    quick = np.flatnonzero(deals.is_called)
    slow = np.flatnonzero(deals.has_offer & ~deals.is_called & (rng.random(len(deals)) < 0.5))
    deal = np.concatenate([quick, slow])
    wait = np.concatenate([rng.uniform(0.05, days - 0.05, len(quick)), rng.uniform(days + 0.5, days + 6, len(slow))])
    due = deals.entered[deal, PROPOSAL] + (wait * DAY).astype(np.int64)
    is_in_time = (deals.closed[deal] < 0) | (due < deals.closed[deal])
    return deal[is_in_time], np.full(int(is_in_time.sum()), CALL), due[is_in_time]


def _routine(deals: Opportunities, end: int, rng: np.random.Generator) -> Rows:
    """Activities spread over the life of the deal; no calls right after the offer, whose effect would be muddled."""
    until = np.where(deals.closed < 0, end, deals.closed)
    stages = (deals.entered[:, :4] >= 0).sum(axis=1)
    deal, _ = columns.spread(rng.poisson(ACTIVITIES_PER_STAGE * stages))
    span = np.maximum(until - deals.created, 3600)[deal]
    due = deals.created[deal] + (rng.random(len(deal)) * span).astype(np.int64)
    kind = rng.choice(len(KINDS), len(deal), p=KIND_SHARES)
    offer = deals.entered[deal, PROPOSAL]
    after_offer = (offer >= 0) & (due >= offer) & (due < offer + 3 * DAY)
    return deal, np.where(after_offer & (kind == CALL), EMAIL, kind), due


def _meetings(deals: Opportunities, end: int, rng: np.random.Generator) -> Rows:
    until = np.where(deals.closed < 0, end, deals.closed)
    deal, _ = columns.spread(rng.poisson(MEETINGS_BY_INTEREST * np.exp(0.7 * deals.interest)))
    span = np.maximum(until - deals.created, 3600)[deal]
    due = deals.created[deal] + (rng.random(len(deal)) * span).astype(np.int64)
    return deal, np.full(len(deal), MEETING), due


def _next_steps(deals: Opportunities, end: int, rng: np.random.Generator) -> Rows:
    """Open deals have something to do next; some of it is overdue."""
    deal = np.flatnonzero(deals.closed < 0)
    due = end + (rng.normal(3, 6, len(deal)) * DAY).astype(np.int64)
    return deal, np.full(len(deal), TASK), np.maximum(due, deals.created[deal] + 3600)


def _is_offer_call(deals: Opportunities, deal: np.ndarray, kind: np.ndarray, due: np.ndarray) -> np.ndarray:
    offer = deals.entered[deal, PROPOSAL]
    return (kind == CALL) & (offer >= 0) & (due >= offer) & (due < offer + 9 * DAY)
