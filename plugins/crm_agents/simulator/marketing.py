"""Campaigns with randomised arms, and how customers truly respond to each kind of action."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.simulator import columns, season
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.population import Traits
from crm_agents.simulator.streams import stream

ACTIONS = ("discount", "new_products", "loyalty_bonus", "call")
DISCOUNT, NEW_PRODUCTS, LOYALTY_BONUS, CALL = range(4)
CHANNELS = ("email", "phone", "sms", "mail")
EMAIL, PHONE, SMS, MAIL = range(4)
CHANNELS_OF_ACTION = ((EMAIL, EMAIL, MAIL), (EMAIL, EMAIL, EMAIL), (SMS, EMAIL, SMS), (PHONE, PHONE, PHONE))
COST_CENTS = (2, 450, 8, 95)  # per contact, by channel
TITLES = ("Save now", "New this month", "Bonus points", "Personal call")
HIGHEST_PROBABILITY = 0.6  # of one extra order by one contact


@dataclass(frozen=True)
class Campaigns:
    """All campaigns (arrays over campaigns, by time)."""

    day: np.ndarray
    action: np.ndarray
    channel: np.ndarray
    treated_share: np.ndarray
    effect: np.ndarray  # mean extra orders of a treated customer of mean response; 0 for campaigns that do nothing


def plan_campaigns(parameters: Parameters) -> Campaigns:
    """Draw the calendar of campaigns."""
    rng = stream(parameters.seed, "campaigns")
    day = np.arange(parameters.campaign_first_day, parameters.days, parameters.campaign_every)
    count = len(day)
    action = (np.arange(count) + rng.integers(2, size=count)) % len(ACTIONS)
    channel = np.array(CHANNELS_OF_ACTION)[action, rng.integers(3, size=count)]
    effect = rng.uniform(*parameters.campaign_effect, count)
    if parameters.campaign_without_effect:
        effect[parameters.campaign_without_effect - 1 :: parameters.campaign_without_effect] = 0
    return Campaigns(day, action, channel, np.resize(np.array(parameters.campaign_treated), count), effect)


def response(traits: Traits, customers: np.ndarray, action: int) -> np.ndarray:
    """Return how strongly customers respond to an action, mean about 1 over the customers.

    Each action works on other people, so a policy that learns who responds to what beats one action for all:
    discounts on the price-sensitive, novelties on those who like them, bonuses on members, calls on organisations.
    """
    if action == DISCOUNT:
        fit = 2.25 * traits.price_sensitivity[customers]
    elif action == NEW_PRODUCTS:
        fit = 2.0 * traits.novelty[customers]
    elif action == LOYALTY_BONUS:
        fit = np.where(traits.is_member[customers], 1.9, 0.25)
    else:
        fit = np.where(traits.is_organisation[customers], 2.2, 0.7)
    return fit * traits.responsiveness[customers]


def order_probability(traits: Traits, customers: np.ndarray, action: int, effect: float) -> np.ndarray:
    """Return the probability that contacting each (active) customer causes one extra order within the outcome days."""
    return np.minimum(effect * response(traits, customers, action), HIGHEST_PROBABILITY)


def campaigns_table(campaigns: Campaigns, treated: np.ndarray, parameters: Parameters) -> pa.Table:
    """Return the campaigns as the CRM exports them; `treated` counts the contacted members of each."""
    start = campaigns.day + columns.epoch_day(parameters.first_on)
    end = start + parameters.outcome_days - 1
    cost = 15_000 + treated * np.array(COST_CENTS)[campaigns.channel]
    month = pc.utf8_slice_codeunits(pc.cast(columns.days(start), pa.string()), 0, 7)
    known_end = np.minimum(end, columns.epoch_day(parameters.end_on))
    return pa.table(
        {
            "campaign_id": columns.ids("K", np.arange(len(start)), 4),
            "name": columns.join(columns.pick(TITLES, campaigns.action), " ", month),
            "channel": columns.pick(CHANNELS, campaigns.channel),
            "starts_on": columns.days(start),
            "ends_on": columns.days(end),
            "cost": columns.money_text(cost),
            "changed_at": columns.times(known_end * DAY + 20 * 3600),
        }
    )


def members_table(
    members: dict[str, np.ndarray],
    campaigns: Campaigns,
    orders: tuple[np.ndarray, np.ndarray],
    first_number: int,
    parameters: Parameters,
    rng: np.random.Generator,
) -> pa.Table:
    """Return who was in which campaign and arm, and what they did.

    Parameters
    ----------
    members : dict of arrays
        customer, campaign, treated, opened, clicked.
    orders : (customer, second) arrays
        All orders of the chunk; the first one within the outcome days is the conversion, in both arms.
    first_number : int
        Number of the chunk's first customer.
    """
    customer, campaign, treated = members["customer"], members["campaign"], members["treated"]
    start = (campaigns.day[campaign] + columns.epoch_day(parameters.first_on)) * DAY
    end = (columns.epoch_day(parameters.end_on) + 1) * DAY
    converted = _first_order(customer, start, start + parameters.outcome_days * DAY, *orders)
    sent = np.minimum(start + rng.integers(8 * 3600, 11 * 3600, len(customer)), end - 1)
    opened = np.minimum(sent + 60 + (rng.exponential(0.35, len(customer)) * DAY).astype(np.int64), end - 1)
    clicked = np.minimum(opened + rng.integers(5, 600, len(customer)), end - 1)
    changed = np.maximum(np.where(members["clicked"], clicked, np.where(members["opened"], opened, sent)), converted)
    return pa.table(
        {
            "campaign_id": columns.ids("K", campaign, 4),
            "customer_id": columns.ids("C", first_number + customer),
            "sent_at": columns.times(sent, ~treated),
            "arm": columns.pick(("control", "treatment"), treated.astype(int)),
            "opened_at": columns.times(opened, ~members["opened"]),
            "clicked_at": columns.times(clicked, ~members["clicked"]),
            "converted_at": columns.times(converted, converted < 0),
            "changed_at": columns.times(changed),
        }
    )


def _first_order(
    customer: np.ndarray, start: np.ndarray, end: np.ndarray, buyer: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Return the time of each customer's first order in [start, end); -1 when there is none."""
    width = 2**34  # more seconds than there are since 1970
    customer = customer.astype(np.int64)
    key = np.sort(buyer.astype(np.int64) * width + second)
    if not len(key):
        return np.full(len(customer), -1)
    place = np.searchsorted(key, customer * width + start)
    found = key[np.minimum(place, len(key) - 1)]
    is_inside = (place < len(key)) & (found < customer * width + end)
    return np.where(is_inside, found % width, -1)


def truth_table(campaigns: Campaigns, counts: np.ndarray, parameters: Parameters) -> pa.Table:
    """Return the true effect of each campaign: extra orders per treated customer within the outcome days.

    Parameters
    ----------
    counts : numpy.ndarray
        campaigns x (contacted customers, sum of their probabilities of an extra order, orders that were caused). A
        campaign whose outcome days reach beyond the history has caused fewer than expected so far.
    """
    treated, expected, caused = counts.T
    contacted = np.maximum(treated, 1)
    starts = [season.date_of(parameters, int(day)) for day in campaigns.day]
    return pa.table(
        {
            "campaign_id": columns.ids("K", np.arange(len(campaigns.day)), 4),
            "action": columns.pick(ACTIONS, campaigns.action),
            "starts_on": pa.array(starts, pa.date32()),
            "treated": treated.astype(np.int64),
            "expected_effect": expected / contacted,
            "realised_effect": caused / contacted,
        }
    )
