"""Who the customers are: what the CRM shows of them, and the hidden traits from which their behaviour follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.simulator import columns, words
from crm_agents.simulator.catalogue import SEGMENTS
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.leads import SIZE_EMPLOYEES, SIZE_SHARES, Leads
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.streams import stream
from crm_agents.simulator.team import Team

PERSON_SEGMENTS = np.array([i for i, segment in enumerate(SEGMENTS) if not segment.is_organisation])
FIRST_ORGANISATION_SEGMENT = len(PERSON_SEGMENTS)
SEGMENT_OF_INDUSTRY = np.array([4, 5, 6, 4])  # hospitality, trades, services, retail
PARENT_SHARE = 0.08
SOURCE_SYSTEMS = ("shop", "store", "sales")


@dataclass(frozen=True)
class Traits:
    """Customers of one chunk, by time of creation (arrays over customers; rates per day; the rates are hidden)."""

    first_number: int
    created: np.ndarray  # seconds since 1970
    created_day: np.ndarray
    is_organisation: np.ndarray
    segment: np.ndarray
    region: np.ndarray
    country: np.ndarray
    industry: np.ndarray  # organisations only
    size: np.ndarray  # organisations only
    identity: np.ndarray  # random number that names are taken from
    lead: np.ndarray  # number within the chunk's leads; -1 when none
    owner: np.ndarray  # rep; -1 for most persons
    purchase_rate: np.ndarray
    is_regular: np.ndarray
    churn_rate: np.ndarray
    price_sensitivity: np.ndarray
    novelty: np.ndarray
    web: np.ndarray
    mail: np.ndarray
    phone: np.ndarray
    responsiveness: np.ndarray
    is_member: np.ndarray
    consents: np.ndarray  # customers x (email, phone, sms, mail)

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.created)

    def numbers_from(self, room: int) -> int:
        """Return the first number for a table that has up to `room` rows per customer id: chunks never overlap."""
        return (self.first_number - 1) * room + 1


def organisation_places(parameters: Parameters, customers: int) -> int:
    """Return how many of `customers` are organisations."""
    return round(customers * parameters.organisation_share)


def make_population(parameters: Parameters, team: Team, leads: Leads, chunk: int, customers: int) -> Traits:
    """Draw the customers of a chunk; firms that came from leads take over what the lead told."""
    rng = stream(parameters.seed, "population", chunk)
    lead = np.full(customers, -1)
    organisations = organisation_places(parameters, customers)
    lead[: len(leads.converted)] = leads.converted
    created = _arrivals(parameters, customers, rng)
    created[lead >= 0] = leads.closed[lead[lead >= 0]]
    is_organisation = np.arange(customers) < organisations
    order = np.argsort(created, kind="stable")
    first_number = 1 + chunk * 2 * parameters.chunk_customers  # room behind each chunk for duplicates
    return describe(parameters, team, leads, first_number, created[order], lead[order], is_organisation[order], rng)


def describe(
    parameters: Parameters, team: Team, leads: Leads, first_number: int, created: np.ndarray, lead: np.ndarray,
    is_organisation: np.ndarray, rng: np.random.Generator,
) -> Traits:  # fmt: skip
    """Draw who the customers are that came at these times.

    Parameters
    ----------
    first_number : int
        Number of the first customer; the others follow.
    created : numpy.ndarray
        Seconds since 1970, rising.
    lead : numpy.ndarray
        Number of the lead that each was; -1 when none.
    """
    customers = len(created)

    def from_lead(of_leads: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
        return np.where(lead >= 0, of_leads[np.maximum(lead, 0)], otherwise) if len(of_leads) else otherwise

    industry = from_lead(leads.industry, rng.integers(len(words.INDUSTRIES), size=customers))
    shares = np.array([SEGMENTS[i].share for i in PERSON_SEGMENTS])
    person_segment = rng.choice(PERSON_SEGMENTS, customers, p=shares / shares.sum())
    region = from_lead(leads.region, rng.integers(len(words.REGIONS), size=customers))
    owner = from_lead(leads.owner, team.assign(region, rng))
    segment = np.where(is_organisation, SEGMENT_OF_INDUSTRY[industry], person_segment)
    return Traits(
        first_number=first_number,
        created=created,
        created_day=(created // DAY - columns.epoch_day(parameters.first_on)).astype(np.int32),
        is_organisation=is_organisation,
        segment=segment,
        region=region,
        country=from_lead(leads.country, rng.choice(len(words.COUNTRIES), customers, p=words.COUNTRY_SHARES)),
        industry=industry,
        size=from_lead(leads.size, rng.choice(len(SIZE_SHARES), customers, p=SIZE_SHARES)),
        identity=from_lead(leads.firm, rng.integers(2**31, size=customers)),
        lead=lead,
        owner=np.where(is_organisation, owner, -1),
        **_hidden(parameters, segment, is_organisation, rng),
    )


def _arrivals(parameters: Parameters, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return creation times: a founding wave, then arrivals that grow linearly (inverse of the integrated density)."""
    growth, founding = parameters.growth_of_arrivals, parameters.founding_share
    u = rng.random(count)
    later = (np.sqrt(1 + 2 * growth * u * (1 + growth / 2)) - 1) / growth if growth else u
    position = np.where(rng.random(count) < founding, u * min(1, 60 / parameters.days), later)
    last_second = columns.epoch_day(parameters.first_on) * DAY + parameters.days * DAY - 3600
    start = columns.epoch_day(parameters.first_on) * DAY
    hour = np.clip(rng.normal(14, 3.5, count), 6, 22.9)
    second = start + np.minimum(position * parameters.days, parameters.days - 1).astype(np.int64) * DAY
    return np.minimum(second + (hour * 3600).astype(np.int64), last_second)


def _hidden(
    parameters: Parameters, segment: np.ndarray, is_organisation: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    count = len(segment)

    def gamma(shape: float, low: float = 0.0, high: float = 10.0) -> np.ndarray:
        return np.clip(rng.gamma(shape, 1 / shape, count), low, high)

    appetite = gamma(parameters.purchase_rate_shape, 0.01)
    # Who buys more joins the loyalty programme more often: an observable trace of the hidden rate.
    member_odds = np.log(parameters.loyalty_share / (1 - parameters.loyalty_share)) + 0.8 * (appetite - 1)
    is_member = (rng.random(count) < columns.sigmoid(member_odds)) & ~is_organisation
    price_sensitivity = rng.beta(2, 2.5, count)
    segment_appetite = np.array([item.appetite for item in SEGMENTS])[segment]
    churn = gamma(parameters.churn_rate_shape, 0.005) * np.where(is_member, parameters.loyalty_churn, 1.0)
    consent_shares = np.where(
        is_organisation[:, None], (0.85, 0.7, 0.1, 0.6), (parameters.email_consent, 0.3, 0.35, 0.5)
    )
    return {
        "purchase_rate": appetite * segment_appetite * np.where(is_member, parameters.loyalty_appetite, 1.0)
        * parameters.purchases_a_year / 365.25,
        "is_regular": rng.random(count) < np.where(is_organisation, 1.3, 1.0) * parameters.regular_share,
        "churn_rate": churn * (0.7 + 0.67 * price_sensitivity) * parameters.churns_a_year / 365.25,
        "price_sensitivity": price_sensitivity,
        "novelty": rng.beta(2, 2, count),
        "web": gamma(2.5, 0.05, 4),
        "mail": gamma(3, 0.05, 2),
        "phone": gamma(1.5, 0.05, 4) * np.where(is_organisation, 1.6, 0.7),
        "responsiveness": gamma(4),
        "is_member": is_member,
        "consents": rng.random((count, 4)) < consent_shares,
    }  # fmt: skip


def firm_names(identity: np.ndarray, industry: np.ndarray, country: np.ndarray) -> pa.Array:
    """Return names like ``Nordlicht Catering GmbH``."""
    trades, forms = len(words.TRADES[0]), len(words.LEGAL_FORMS[0])
    all_trades = [word for group in words.TRADES for word in group]
    all_forms = [word for group in words.LEGAL_FORMS for word in group]
    trade = columns.pick(all_trades, industry * trades + identity // len(words.FIRM_NAMES) % trades)
    form = columns.pick(all_forms, country * forms + identity // 997 % forms)
    return columns.join(columns.pick(words.FIRM_NAMES, identity % len(words.FIRM_NAMES)), " ", trade, " ", form)


def customers_table(traits: Traits, parameters: Parameters, chunk: int) -> pa.Table:
    """Return the chunk's customers as a clean export; `dirt` spoils it afterwards."""
    return identities_table(traits, stream(parameters.seed, "identities", chunk))


def identities_table(traits: Traits, rng: np.random.Generator) -> pa.Table:
    """Return these customers as a clean export, with names, addresses and the like drawn from `rng`."""
    count, organisation = len(traits), traits.is_organisation
    number = traits.first_number + np.arange(count)
    customer_id = columns.ids("C", number)
    first = columns.pick(words.FIRST_NAMES, traits.identity % len(words.FIRST_NAMES))
    last = columns.pick(words.LAST_NAMES, traits.identity // 131 % len(words.LAST_NAMES))
    firm = firm_names(traits.identity, traits.industry, traits.country)
    name = pc.if_else(pa.array(organisation), firm, columns.join(first, " ", last))
    slug = pc.replace_substring(pc.utf8_lower(name), " ", ".")
    low, high = np.array(SIZE_EMPLOYEES).T
    employees = (low[traits.size] * (high / low)[traits.size] ** rng.random(count)).astype(np.int32)
    revenue = np.round(employees * np.exp(rng.normal(11.3, 0.5, count)), -3)
    city = columns.pick(
        [c for cities in words.CITIES for c in cities], traits.country * 8 + rng.integers(8, size=count)
    )
    age_days = rng.integers(19 * 365, 80 * 365, count)
    birth = columns.days(traits.created // DAY - age_days, organisation | (rng.random(count) < 0.3))
    candidate = rng.integers(count, size=count)
    is_child = (
        organisation & organisation[candidate] & (candidate < np.arange(count)) & (rng.random(count) < PARENT_SHARE)
    )
    system = np.where(organisation, 2, (rng.random(count) < 0.3).astype(int))
    return pa.table(
        {
            "customer_id": customer_id,
            "kind": columns.pick(("person", "organisation"), organisation.astype(int)),
            "name": name,
            "email": columns.join(slug, columns.ids("", number, 1), "@", columns.pick(words.MAIL_DOMAINS, number % 3)),
            "phone": _phones(traits.country, rng),
            "company": pc.if_else(pa.array(organisation), firm, None),
            "industry": columns.pick(words.INDUSTRIES, np.where(organisation, traits.industry, -1)),
            "employees": columns.numbers(employees, ~organisation),
            "annual_revenue": columns.numbers(revenue, ~organisation | (rng.random(count) < 0.2)),
            "city": city,
            "region": columns.pick(words.REGIONS, traits.region),
            "country": columns.pick(words.COUNTRIES, traits.country),
            "postal_code": _by_country(words.POSTAL_CODES, traits.country, rng),
            "birth_on": pc.cast(birth, pa.string()),
            "created_at": columns.text_times(traits.created),
            "owner_rep_id": columns.some_ids("R", traits.owner, 4, traits.owner >= 0),
            "parent_customer_id": columns.pick(customer_id, np.where(is_child, candidate, -1)),
            "source_system": columns.pick(SOURCE_SYSTEMS, system),
            "changed_at": columns.times(traits.created),
        }
    )


def _phones(country: np.ndarray, rng: np.random.Generator) -> pa.Array:
    choice = country * len(words.PHONE_RANGES[0]) + rng.integers(len(words.PHONE_RANGES[0]), size=len(country))
    return _with_digits([item for ranges in words.PHONE_RANGES for item in ranges], choice, rng)


def _by_country(ranges: tuple[tuple[str, int], ...], country: np.ndarray, rng: np.random.Generator) -> pa.Array:
    return _with_digits(list(ranges), country, rng)


def _with_digits(ranges: list[tuple[str, int]], choice: np.ndarray, rng: np.random.Generator) -> pa.Array:
    width = np.array([digits for _, digits in ranges])[choice]
    digits = columns.ids("", rng.integers(10**6, size=len(choice)) % 10**width + 10**width, 1)
    return columns.join(columns.pick([prefix for prefix, _ in ranges], choice), pc.utf8_slice_codeunits(digits, 1))
