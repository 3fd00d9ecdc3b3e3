"""Leads: firms that showed interest, worked by reps, some of which become customers with a first opportunity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.simulator import columns, words
from crm_agents.simulator.columns import DAY
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.streams import stream
from crm_agents.simulator.team import Team

SOURCES = ("website", "referral", "trade fair", "cold call", "partner", "advertisement")
SOURCE_SHARES = (0.32, 0.12, 0.14, 0.18, 0.09, 0.15)
SOURCE_LOG_ODDS = np.array([0.1, 1.1, 0.3, -1.0, 0.7, -0.5])
SIZES = ("1-9", "10-49", "50-249", "250+")
SIZE_SHARES = (0.45, 0.3, 0.18, 0.07)
SIZE_EMPLOYEES = ((1, 9), (10, 49), (50, 249), (250, 1500))
SIZE_LOG_ODDS = np.array([-0.4, 0.2, 0.4, -0.1])
BUDGETS = ("none", "planned", "approved")
BUDGET_LOG_ODDS = np.array([-0.7, 0.3, 1.2])
JOB_LEVELS = ("assistant", "specialist", "manager", "owner")
JOB_SHARES = (0.25, 0.35, 0.25, 0.15)
JOB_LOG_ODDS = np.array([-0.5, -0.1, 0.4, 0.6])
BASE_LOG_ODDS = -2.6
QUICK_CONTACT_LOG_ODDS = 0.6  # contacted within a day: the effect is causal
STATUSES = ("new", "contacted", "qualified", "converted", "lost")
NEW, CONTACTED, QUALIFIED, CONVERTED, LOST = range(5)


@dataclass(frozen=True)
class Leads:
    """Leads of one chunk (arrays over leads, by time of creation; seconds since 1970)."""

    first_number: int
    created: np.ndarray
    contacted: np.ndarray
    closed: np.ndarray
    status: np.ndarray
    source: np.ndarray
    size: np.ndarray
    budget: np.ndarray  # -1: not asked
    job_level: np.ndarray  # -1: unknown
    pages: np.ndarray
    attended_webinar: np.ndarray
    industry: np.ndarray
    country: np.ndarray
    region: np.ndarray
    firm: np.ndarray  # name, trade and legal form: see `population.firm_names`
    owner: np.ndarray
    conversion_probability: np.ndarray
    will_convert: np.ndarray  # hidden: how it ends, possibly after the last day

    @property
    def converted(self) -> np.ndarray:
        """Numbers of the leads that became customers."""
        return np.flatnonzero(self.status == CONVERTED)


def make_leads(parameters: Parameters, team: Team, chunk: int, customers: int, places: int) -> Leads:
    """Draw the leads of a chunk.

    Parameters
    ----------
    customers : int
        Size of the chunk.
    places : int
        How many of the chunk's customers may come from leads; later conversions stay open.
    """
    rng = stream(parameters.seed, "leads", chunk)
    count = round(customers * parameters.leads_per_customer)
    start = columns.epoch_day(parameters.first_on) * DAY
    end = start + parameters.days * DAY
    created = np.sort(start + (rng.beta(1.25, 1.0, count) * (parameters.days * DAY - 3600)).astype(np.int64))
    first_number = 1 + chunk * math.ceil(parameters.chunk_customers * parameters.leads_per_customer)
    return draw_leads(team, first_number, created, end, places, rng)


def draw_leads(
    team: Team, first_number: int, created: np.ndarray, end: int, places: int, rng: np.random.Generator
) -> Leads:
    """Draw the leads that came at these times (rising), as they stand at second `end`."""
    count = len(created)
    asked, log_odds = _answers(count, rng)
    region = rng.integers(len(words.REGIONS), size=count)
    owner = team.assign(region, rng)
    delay = rng.gamma(1.3, 1.6, count) * (1.6 - team.diligence[owner]) * DAY
    log_odds += 0.3 * team.skill[owner] + QUICK_CONTACT_LOG_ODDS * (delay < DAY)
    probability = columns.sigmoid(log_odds)
    will_convert = rng.random(count) < probability
    contacted = created + 600 + delay.astype(np.int64)
    closed = contacted + (rng.gamma(2.0, np.where(will_convert, 11, 18)) * DAY).astype(np.int64) + 3600
    return Leads(
        first_number=first_number,
        created=created,
        contacted=contacted,
        closed=closed,
        status=_status(will_convert, contacted, closed, end, places, rng),
        industry=rng.integers(len(words.INDUSTRIES), size=count),
        country=rng.choice(len(words.COUNTRIES), count, p=words.COUNTRY_SHARES),
        region=region,
        firm=rng.integers(2**31, size=count),
        owner=owner,
        conversion_probability=probability,
        will_convert=will_convert,
        **asked,
    )


def _answers(count: int, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what web form and first call tell, with gaps, and the log-odds of conversion, which know no gaps."""
    source = rng.choice(len(SOURCES), count, p=SOURCE_SHARES)
    size = rng.choice(len(SIZES), count, p=SIZE_SHARES)
    need = rng.normal(0, 1, count)  # hidden; pages, webinar and budget tell of it
    budget = np.clip(np.round(0.6 * need + rng.normal(0.4, 0.8, count)), 0, 2).astype(int)
    job_level = rng.choice(len(JOB_LEVELS), count, p=JOB_SHARES)
    log_odds = BASE_LOG_ODDS + SOURCE_LOG_ODDS[source] + SIZE_LOG_ODDS[size] + 0.5 * need
    log_odds += BUDGET_LOG_ODDS[budget] + JOB_LOG_ODDS[job_level]
    asked = {
        "source": source,
        "size": size,
        "budget": np.where(rng.random(count) < 0.35, -1, budget),
        "job_level": np.where(rng.random(count) < 0.2, -1, job_level),
        "pages": rng.poisson(np.exp(0.9 + 0.45 * need)),
        "attended_webinar": rng.random(count) < columns.sigmoid(-2 + 0.8 * need),
    }
    return asked, log_odds


def leads_table(leads: Leads, names: pa.Array, opportunity_of_lead: np.ndarray, parameters: Parameters) -> pa.Table:
    """Return the chunk's leads as the CRM exports them.

    Parameters
    ----------
    names : pyarrow.Array
        Name of each lead's firm.
    opportunity_of_lead : numpy.ndarray
        Number of the opportunity that the lead became; -1 when none.
    """
    count, end = len(leads.created), (columns.epoch_day(parameters.end_on) + 1) * DAY
    number = leads.first_number + np.arange(count)
    is_closed = (leads.status == CONVERTED) | (leads.status == LOST)
    newest = np.where(is_closed, leads.closed, np.where(leads.status == NEW, leads.created, leads.contacted))
    mail = columns.join("info.", pc.replace_substring(pc.utf8_lower(names), " ", "."), columns.ids("", number, 1))
    return pa.table(
        {
            "lead_id": columns.ids("L", number),
            "created_at": columns.text_times(leads.created),
            "source": columns.pick(SOURCES, leads.source),
            "name": columns.pick(words.LAST_NAMES, leads.firm % len(words.LAST_NAMES)),
            "email": columns.join(mail, "@example.net"),
            "company": names,
            "industry": columns.pick(words.INDUSTRIES, leads.industry),
            "attributes": _attributes(leads),
            "status": columns.pick(STATUSES, leads.status),
            "converted_at": columns.times(leads.closed, leads.status != CONVERTED),
            "opportunity_id": columns.some_ids("D", opportunity_of_lead, 7, opportunity_of_lead >= 0),
            "owner_rep_id": columns.ids("R", leads.owner, 4),
            "changed_at": columns.times(np.minimum(newest, end - 1)),
        }
    )


def truth_table(leads: Leads) -> pa.Table:
    """Return each lead's hidden probability of conversion."""
    count = len(leads.created)
    return pa.table(
        {
            "lead_id": columns.ids("L", leads.first_number + np.arange(count)),
            "conversion_probability": leads.conversion_probability,
        }
    )


def _status(
    will_convert: np.ndarray, contacted: np.ndarray, closed: np.ndarray, end: int, places: int,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    is_half_way = (contacted + closed) / 2 < end
    status = np.where(is_half_way & (will_convert | (rng.random(len(closed)) < 0.3)), QUALIFIED, CONTACTED)
    status[contacted >= end] = NEW
    status[(closed < end) & ~will_convert] = LOST
    converted = np.flatnonzero((closed < end) & will_convert)
    status[converted[np.argsort(closed[converted], kind="stable")[:places]]] = CONVERTED
    return status


def _attributes(leads: Leads) -> pa.Array:
    """Return JSON texts: what the web form and the first call told, with gaps."""
    budgets = pa.array([f', "budget": "{word}"' for word in BUDGETS] + [""])
    levels = pa.array([f', "job_level": "{word}"' for word in JOB_LEVELS] + [""])
    return columns.join(
        '{"employees": "', columns.pick(SIZES, leads.size),
        '", "country": "', columns.pick(words.COUNTRIES, leads.country),
        '", "region": "', columns.pick(words.REGIONS, leads.region),
        '", "pages_viewed": ', pc.cast(pa.array(leads.pages), pa.string()),
        ', "attended_webinar": ', columns.pick(("false", "true"), leads.attended_webinar.astype(int)),
        columns.pick(budgets, np.where(leads.budget < 0, len(BUDGETS), leads.budget)),
        columns.pick(levels, np.where(leads.job_level < 0, len(JOB_LEVELS), leads.job_level)),
        "}",
    )  # fmt: skip
