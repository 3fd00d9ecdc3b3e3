"""Interactions of customers and leads (visits, mails, calls), and the consents that allow them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY, NEVER
from crm_agents.simulator.leads import NEW, Leads
from crm_agents.simulator.population import Traits
from crm_agents.simulator.service import moments
from crm_agents.simulator.state import State, World

CHANNELS = ("web", "email", "phone", "sms", "mail")
WEB, EMAIL, PHONE, SMS, MAIL = range(5)
OF_CAMPAIGN_CHANNEL = np.array([EMAIL, PHONE, SMS, MAIL])  # place in `marketing.CHANNELS` -> place in `CHANNELS`
KINDS = ("visit", "message", "open", "click", "unsubscribe", "call")
VISIT, MESSAGE, OPEN, CLICK, UNSUBSCRIBE, CALL = range(6)
OUTCOMES = ("reached", "no answer", "voicemail", "callback agreed")
LEAD_VISITS_SHOWN = 6
ROWS_PER_CUSTOMER = 400  # room for interaction numbers
PURPOSES = (
    ("email", "marketing"),
    ("phone", "marketing"),
    ("sms", "marketing"),
    ("mail", "marketing"),
    ("email", "service"),
)


def interactions_table(
    world: World, traits: Traits, leads: Leads, events: dict[str, dict[str, np.ndarray]], rng: np.random.Generator
) -> pa.Table:
    """Return the chunk's interactions, by time.

    Parameters
    ----------
    events : dict
        The events ``visits``, ``mails``, ``members`` and ``calls`` of the daily simulation.
    """
    parts = [
        _visits(world, traits, events["visits"], rng),
        *_newsletters(world, events["mails"], rng),
        *_campaigns(world, events["members"], rng),
        _calls(world, events["calls"], rng),
        *_of_leads(world, leads, rng),
    ]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    end = (columns.epoch_day(world.parameters.end_on) + 1) * DAY
    created = traits.created[np.maximum(rows["customer"], 0)] + 30
    when = np.where(rows["customer"] >= 0, np.maximum(rows["at"], np.minimum(created, end - 1)), rows["at"])
    keep = np.flatnonzero(when < end)
    keep = keep[np.argsort(when[keep], kind="stable")]
    rows = {name: values[keep] for name, values in rows.items()}
    when, is_call = when[keep], rows["kind"] == CALL
    seconds = rng.integers(40, 900, len(keep)).astype(np.int32)
    stamps = columns.times(when)
    return pa.table(
        {
            "interaction_id": columns.ids("I", traits.numbers_from(ROWS_PER_CUSTOMER) + np.arange(len(keep)), 9),
            "customer_id": columns.some_ids("C", traits.first_number + rows["customer"], 7, rows["customer"] >= 0),
            "lead_id": columns.some_ids("L", leads.first_number + rows["lead"], 7, rows["lead"] >= 0),
            "occurred_at": stamps,
            "channel": columns.pick(CHANNELS, rows["channel"]),
            "direction": columns.pick(("outbound", "inbound"), rows["is_inbound"].astype(int)),
            "kind": columns.pick(KINDS, rows["kind"]),
            "product_id": columns.some_ids("P", rows["product"], 5, rows["product"] >= 0),
            "campaign_id": columns.some_ids("K", rows["campaign"], 4, rows["campaign"] >= 0),
            "duration_seconds": columns.numbers(seconds, ~(is_call | (rows["kind"] == VISIT))),
            "outcome": columns.pick(OUTCOMES, np.where(is_call, rng.choice(4, len(keep), p=(0.6, 0.2, 0.1, 0.1)), -1)),
            "changed_at": stamps,
        }
    )


def _rows(
    at: np.ndarray, channel: int | np.ndarray, kind: int, *, customer: np.ndarray | int = -1, lead: np.ndarray | int = -1,
    product: np.ndarray | int = -1, campaign: np.ndarray | int = -1, is_inbound: np.ndarray | bool = True,
) -> dict[str, np.ndarray]:  # fmt: skip
    columns_of = {
        "at": (at, np.int64), "customer": (customer, np.int64), "lead": (lead, np.int64), "channel": (channel, np.int8),
        "kind": (kind, np.int8), "product": (product, np.int32), "campaign": (campaign, np.int32),
        "is_inbound": (is_inbound, np.bool_),
    }  # fmt: skip
    return {name: np.broadcast_to(np.asarray(values, of), len(at)) for name, (values, of) in columns_of.items()}


def _visits(
    world: World, traits: Traits, visits: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    customer = visits["customer"]
    product = world.catalogue.draw(traits.segment[customer], rng)
    product = np.where(rng.random(len(customer)) < 0.8, product, -1)
    return _rows(moments(visits["day"], world, rng), WEB, VISIT, customer=customer, product=product)


def _newsletters(world: World, mails: dict[str, np.ndarray], rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    sent = moments(mails["day"], world, rng)
    return _mail_rows(sent, EMAIL, mails, np.full(len(sent), -1), rng)


def _campaigns(world: World, members: dict[str, np.ndarray], rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    treated = {name: values[members["treated"]] for name, values in members.items()}
    sent = moments(world.campaigns.day[treated["campaign"]], world, rng)
    channel = OF_CAMPAIGN_CHANNEL[world.campaigns.channel[treated["campaign"]]]
    by_phone = channel == PHONE
    calls = _rows(sent[by_phone], PHONE, CALL, customer=treated["customer"][by_phone],
                  campaign=treated["campaign"][by_phone], is_inbound=False)  # fmt: skip
    written = {name: values[~by_phone] for name, values in treated.items()}
    return [calls, *_mail_rows(sent[~by_phone], channel[~by_phone], written, written["campaign"], rng)]


def _mail_rows(
    sent: np.ndarray,
    channel: int | np.ndarray,
    mails: dict[str, np.ndarray],
    campaign: np.ndarray,
    rng: np.random.Generator,
) -> list[dict[str, np.ndarray]]:
    customer = mails["customer"]
    opened_at = sent + 60 + (rng.exponential(0.35, len(sent)) * DAY).astype(np.int64)
    clicked_at = opened_at + rng.integers(5, 600, len(sent))
    left_at = sent + rng.integers(120, DAY, len(sent))
    parts = [_rows(sent, channel, MESSAGE, customer=customer, campaign=campaign, is_inbound=False)]
    for flag, at, kind in (
        ("opened", opened_at, OPEN), ("clicked", clicked_at, CLICK), ("unsubscribed", left_at, UNSUBSCRIBE)
    ):  # fmt: skip
        which = mails[flag]
        parts.append(_rows(at[which], EMAIL, kind, customer=customer[which], campaign=campaign[which]))
    return parts


def _calls(world: World, calls: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    at = moments(calls["day"], world, rng)
    return _rows(at, PHONE, CALL, customer=calls["customer"], is_inbound=calls["is_inbound"])


def _of_leads(world: World, leads: Leads, rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    lead, _ = columns.spread(np.minimum(leads.pages, LEAD_VISITS_SHOWN))
    looked = leads.created[lead] - (rng.exponential(2.0, len(lead)) * DAY).astype(np.int64)
    start = columns.epoch_day(world.parameters.first_on) * DAY
    called = np.flatnonzero(leads.status != NEW)
    return [
        _rows(np.maximum(looked, start), WEB, VISIT, lead=lead),
        _rows(leads.contacted[called], PHONE, CALL, lead=called, is_inbound=False),
    ]


def consents_table(world: World, traits: Traits, state: State, rng: np.random.Generator) -> pa.Table:
    """Return one row for each customer, channel and purpose; an unsubscription withdraws the consent to mails."""
    count, start = len(traits), columns.epoch_day(world.parameters.first_on) * DAY
    customer = np.repeat(np.arange(count), len(PURPOSES))
    which = np.tile(np.arange(len(PURPOSES)), count)
    granted = np.concatenate([traits.consents, np.ones((count, 1), dtype=bool)], axis=1).ravel()
    has_left = (which == 0) & (state.unsubscribed_day[customer] < NEVER)
    left_at = start + state.unsubscribed_day[customer].astype(np.int64) * DAY + 22 * 3600
    captured = np.where(has_left, np.maximum(left_at, traits.created[customer]), traits.created[customer])
    is_contract = which == len(PURPOSES) - 1
    basis = np.where(is_contract, 0, np.where(rng.random(len(customer)) < 0.8, 1, 2))
    return pa.table(
        {
            "customer_id": columns.ids("C", traits.first_number + customer),
            "channel": columns.pick([channel for channel, _ in PURPOSES], which),
            "purpose": columns.pick([purpose for _, purpose in PURPOSES], which),
            "granted": pa.array(granted & ~has_left),
            "basis": columns.pick(("contract", "web form", "in store"), basis),
            "captured_at": columns.text_times(captured),
            "changed_at": columns.times(captured),
        }
    )
