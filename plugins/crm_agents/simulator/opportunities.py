"""Opportunities: deals with organisations that move through stages under reps of different skill.

Whether a deal gets as far as an offer, and whether the offer is accepted, depends on hidden interest and on the rep's
skill. A call within two days of the offer raises the odds; whether a rep calls depends on diligence alone, which is
independent of skill and interest, so comparing called with uncalled offers shows the causal effect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.leads import Leads
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.population import Traits
from crm_agents.simulator.state import State, World
from crm_agents.simulator.streams import stream

STAGES = ("prospecting", "qualification", "proposal", "negotiation", "won", "lost")
PROSPECTING, QUALIFICATION, PROPOSAL, NEGOTIATION, WON, LOST = range(6)
MEAN_DAYS = np.array([9.0, 12.0, 13.0, 13.0])
SHORTEST_OFFER_DAYS = 2.0  # nobody answers an offer sooner, so a call within two days comes before the answer
USUAL_DAYS = int(MEAN_DAYS.sum() + SHORTEST_OFFER_DAYS)
REACH_LOG_ODDS, REACH_SKILL, REACH_INTEREST = 0.6, 0.5, 0.7
WIN_LOG_ODDS, WIN_SKILL, WIN_INTEREST, WIN_SIZE, WIN_LEAD = -0.55, 0.9, 0.8, -0.45, 0.35
ROWS_PER_CUSTOMER = 4  # room for opportunity numbers
LOST_REASONS = ("price", "competitor", "no decision", "timing", "no budget")


@dataclass(frozen=True)
class Opportunities:
    """Deals of a chunk, by time of creation (arrays over deals; seconds since 1970)."""

    first_number: int
    customer: np.ndarray
    lead: np.ndarray  # number within the chunk's leads; -1 when none
    owner: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    discount: np.ndarray  # percent off in the end
    amount: np.ndarray  # cents, before discount
    created: np.ndarray
    entered: np.ndarray  # deals x 5: when each of the four stages and the end was entered; -1 when never
    closed: np.ndarray  # -1 while open
    outcome: np.ndarray  # WON or LOST; -1 while open
    stage: np.ndarray  # reached last
    lost_reason: np.ndarray
    expected_close: np.ndarray  # days since 1970
    is_called: np.ndarray  # within two days of the offer
    has_offer: np.ndarray
    interest: np.ndarray
    win_probability: np.ndarray  # at creation, knowing everything but the call
    win_given_offer: np.ndarray  # knowing the call too
    changed: np.ndarray

    def __len__(self) -> int:
        """Return the number of deals."""
        return len(self.customer)

    @property
    def won(self) -> np.ndarray:
        """Numbers of the won deals."""
        return np.flatnonzero(self.outcome == WON)


def make_opportunities(world: World, traits: Traits, state: State, leads: Leads, chunk: int) -> Opportunities:
    """Draw the deals of a chunk and follow each to its end, be that after the last day of the history."""
    rng = stream(world.parameters.seed, "opportunities", chunk)
    customer, created, lead = _beginnings(world.parameters, traits, state, leads, rng)
    return draw_deals(world, traits, customer, created, lead, rng)


def draw_deals(
    world: World, traits: Traits, customer: np.ndarray, created: np.ndarray, lead: np.ndarray,
    rng: np.random.Generator, usual_amount: float | None = None,
) -> Opportunities:  # fmt: skip
    """Draw what becomes of the deals that begin with these customers at these times, from first stage to end.

    Parameters
    ----------
    usual_amount : float, optional
        In cents: larger deals are harder to win. By default the geometric mean of these deals.
    """
    parameters = world.parameters
    owner, count = traits.owner[customer], len(customer)
    product = world.catalogue.equipment[rng.integers(len(world.catalogue.equipment), size=count)]
    quantity = 1 + rng.poisson(0.5 + 1.2 * traits.size[customer])
    day = np.minimum(created // DAY - columns.epoch_day(parameters.first_on), parameters.days - 1)
    amount = quantity * world.catalogue.price(product, day)
    interest = rng.normal(0, 1, count)
    is_called = rng.random(count) < world.team.diligence[owner]
    usual = usual_amount or (float(np.exp(np.log(amount).mean())) if count else 1.0)
    odds = _probabilities(world, owner, amount / usual, interest, lead >= 0, is_called)
    has_offer = rng.random(count) < odds.reach
    wins = has_offer & (rng.random(count) < odds.given_offer)
    entered = _stage_times(created, has_offer, wins, interest, rng)
    outcome = np.where(wins, WON, LOST)
    hope = rng.normal(0, 12, count) - 4 * interest  # days; eager customers are expected sooner
    return Opportunities(
        first_number=traits.numbers_from(ROWS_PER_CUSTOMER),
        customer=customer, lead=lead, owner=owner, product=product, quantity=quantity,
        discount=rng.choice((0, 5, 10, 15), count, p=(0.4, 0.25, 0.25, 0.1)),
        amount=amount, created=created, entered=entered, closed=entered[:, 4], outcome=outcome, stage=outcome,
        lost_reason=rng.integers(len(LOST_REASONS), size=count),
        expected_close=created // DAY + np.maximum(USUAL_DAYS + hope, 5).astype(np.int64),
        has_offer=entered[:, PROPOSAL] >= 0,
        is_called=is_called & (entered[:, PROPOSAL] >= 0),
        interest=interest, win_probability=odds.at_creation, win_given_offer=odds.given_offer,
        changed=entered.max(axis=1, initial=0),
    )  # fmt: skip


def known_by(deals: Opportunities, end: int) -> Opportunities:
    """Return the deals as they stand at second `end`: what comes later has not happened."""
    entered = np.where(deals.entered < end, deals.entered, -1)
    is_closed = entered[:, 4] >= 0
    stage = np.where(is_closed, deals.outcome, (entered[:, :4] >= 0).sum(axis=1) - 1)
    has_offer = entered[:, PROPOSAL] >= 0
    return replace(
        deals, entered=entered, closed=entered[:, 4], outcome=np.where(is_closed, stage, -1), stage=stage,
        has_offer=has_offer, is_called=deals.is_called & has_offer, changed=entered.max(axis=1, initial=0),
    )  # fmt: skip


class Probabilities(NamedTuple):
    """True probabilities of each deal: of an offer, of winning once there is one, of winning at creation."""

    reach: np.ndarray
    given_offer: np.ndarray
    at_creation: np.ndarray


def _probabilities(
    world: World, owner: np.ndarray, size: np.ndarray, interest: np.ndarray, has_lead: np.ndarray,
    is_called: np.ndarray,
) -> Probabilities:  # fmt: skip
    skill, diligence = world.team.skill[owner], world.team.diligence[owner]
    reach = columns.sigmoid(REACH_LOG_ODDS + REACH_SKILL * skill + REACH_INTEREST * interest)
    odds = WIN_LOG_ODDS + WIN_SKILL * skill + WIN_INTEREST * interest + WIN_LEAD * has_lead
    odds += WIN_SIZE * np.log(size)
    called = columns.sigmoid(odds + world.parameters.call_after_offer_effect)
    uncalled = columns.sigmoid(odds)
    at_creation = reach * (diligence * called + (1 - diligence) * uncalled)
    return Probabilities(reach, np.where(is_called, called, uncalled), at_creation)


def _beginnings(
    parameters: Parameters, traits: Traits, state: State, leads: Leads, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customer, time of creation and lead of each deal: one per converted lead, the others during activity."""
    from_lead = np.flatnonzero(traits.lead >= 0)
    start = columns.epoch_day(parameters.first_on) * DAY
    firms = np.flatnonzero(traits.is_organisation)
    last = np.minimum(state.churn_day[firms], parameters.days).astype(np.int64) * DAY + start
    span = np.maximum(last - traits.created[firms] - DAY, 0)
    appetite = 0.6 + 0.4 * traits.purchase_rate[firms] * 365.25 / parameters.purchases_a_year
    counts = rng.poisson(parameters.deals_a_year * appetite * span / (365.25 * DAY))
    customer = np.repeat(firms, counts)
    begun = traits.created[customer] + (rng.random(len(customer)) * np.repeat(span, counts)).astype(np.int64)
    customer = np.concatenate([from_lead, customer])
    created = np.concatenate([traits.created[from_lead], begun])
    lead = np.concatenate([traits.lead[from_lead], np.full(len(begun), -1)])
    order = np.argsort(created, kind="stable")
    return customer[order], created[order], lead[order]


def _stage_times(
    created: np.ndarray, has_offer: np.ndarray, wins: np.ndarray, interest: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return when each stage was entered, the end last; -1 for stages that a lost deal never saw."""
    count = len(created)
    late_loss = rng.random(count)
    last = np.where(has_offer, np.where(wins | (late_loss < 0.5), NEGOTIATION, PROPOSAL),
                    np.where(late_loss < 0.6, QUALIFICATION, PROSPECTING))  # fmt: skip
    pace = np.exp(-0.2 * interest)[:, None] * np.where(wins, 1.0, 1.25)[:, None]  # a deal that drags is a bad sign
    days = rng.gamma(2.0, MEAN_DAYS / 2, (count, 4)) * pace + 0.1
    days[:, PROPOSAL] += SHORTEST_OFFER_DAYS
    leaving = created[:, None] + np.cumsum(days * DAY, axis=1).astype(np.int64)
    entered = np.concatenate([created[:, None], leaving], axis=1)
    closing = np.take_along_axis(leaving, last[:, None], axis=1)[:, 0]
    for stage in range(1, 4):
        entered[last < stage, stage] = -1
    entered[:, 4] = closing
    return entered


def opportunities_table(deals: Opportunities, traits: Traits, leads: Leads, world: World) -> pa.Table:
    """Return the chunk's opportunities as the CRM exports them."""
    names = columns.pick(world.catalogue.names, deals.product)
    final = deals.amount - (deals.amount * deals.discount + 50) // 100
    return pa.table(
        {
            "opportunity_id": columns.ids("D", deals.first_number + np.arange(len(deals))),
            "customer_id": columns.ids("C", traits.first_number + deals.customer),
            "lead_id": columns.some_ids("L", leads.first_number + deals.lead, 7, deals.lead >= 0),
            "name": columns.join(pc.cast(pa.array(deals.quantity), pa.string()), " x ", names),
            "product_id": columns.ids("P", deals.product, 5),
            "stage": columns.pick(STAGES, deals.stage),
            "amount": columns.money_text(np.where(deals.outcome == WON, final, deals.amount)),
            "created_at": columns.times(deals.created),
            "expected_close_on": columns.days(deals.expected_close),
            "closed_at": columns.times(deals.closed, deals.closed < 0),
            "is_won": columns.numbers(deals.outcome == WON, deals.outcome < 0),
            "lost_reason": columns.pick(LOST_REASONS, np.where(deals.outcome == LOST, deals.lost_reason, -1)),
            "owner_rep_id": columns.ids("R", deals.owner, 4),
            "changed_at": columns.times(deals.changed),
        }
    )


def stages_table(deals: Opportunities) -> pa.Table:
    """Return the stage history: one row for each stage that a deal entered."""
    deal, place = np.nonzero(deals.entered >= 0)
    stage = np.where(place == 4, deals.stage[deal], place)
    entered = columns.times(deals.entered[deal, place])
    return pa.table(
        {
            "opportunity_id": columns.ids("D", deals.first_number + deal),
            "stage": columns.pick(STAGES, stage),
            "entered_at": entered,
            "rep_id": columns.ids("R", deals.owner[deal], 4),
            "changed_at": entered,
        }
    )


def truth_table(deals: Opportunities) -> pa.Table:
    """Return each deal's hidden interest and win probability."""
    return pa.table(
        {
            "opportunity_id": columns.ids("D", deals.first_number + np.arange(len(deals))),
            "interest": deals.interest,
            "win_probability": deals.win_probability,
            "has_offer": deals.has_offer,
            "is_called_after_offer": deals.is_called,
            "win_probability_given_offer": deals.win_given_offer,
        }
    )


def opportunity_of_lead(deals: Opportunities, leads: Leads) -> np.ndarray:
    """Return the number of the deal that each lead became; -1 when none."""
    number = np.full(len(leads.created), -1)
    with_lead = np.flatnonzero(deals.lead >= 0)
    number[deals.lead[with_lead]] = deals.first_number + with_lead
    return number
