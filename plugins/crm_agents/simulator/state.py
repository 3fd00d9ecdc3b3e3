"""What changes from day to day: the state of every customer of a chunk, and the log of what happened."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from crm_agents.simulator.catalogue import Catalogue
from crm_agents.simulator.columns import NEVER
from crm_agents.simulator.draws import Draws, InSequence, Who
from crm_agents.simulator.marketing import Campaigns
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.population import Traits
from crm_agents.simulator.team import Team

NATURAL = -1  # cause of an order that no campaign brought about
NO_PURCHASE = -2  # an interest that ends without an order

# What the log keeps of each kind of event: column -> type. Customers are numbered within their chunk.
EVENTS: dict[str, dict[str, type]] = {
    "orders": {
        "customer": np.int32, "day": np.int32, "cause": np.int32, "channel": np.int8, "is_cancelled": np.bool_,
        "promised_days": np.int32, "delivery_days": np.int32, "is_late": np.bool_, "grievance": np.float32,
    },
    "visits": {"customer": np.int32, "day": np.int32},
    "mails": {
        "customer": np.int32, "day": np.int32, "opened": np.bool_, "clicked": np.bool_, "unsubscribed": np.bool_,
    },
    "members": {
        "customer": np.int32, "campaign": np.int32, "treated": np.bool_, "opened": np.bool_, "clicked": np.bool_,
        "unsubscribed": np.bool_, "probability": np.float32,
    },
    "calls": {"customer": np.int32, "day": np.int32, "is_inbound": np.bool_},
    "tickets": {
        "customer": np.int32, "day": np.int32, "category": np.int8, "order": np.int64, "response_hours": np.float32,
        "resolve_hours": np.float32, "grievance": np.float32,
    },
    "surveys": {"customer": np.int32, "day": np.int32, "grievance": np.float32},
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """What all chunks share."""

    parameters: Parameters
    catalogue: Catalogue
    team: Team
    campaigns: Campaigns
    demand: np.ndarray  # days x segments
    acceptance: np.ndarray  # days x (person, organisation): share of planned orders placed on the weekday
    is_high_season: np.ndarray  # days
    drift_day: int


class EventLog:
    """What happened, kind by kind."""

    def __init__(self) -> None:
        self._parts: dict[str, list[dict[str, np.ndarray]]] = defaultdict(list)
        self.order_count = 0

    def add(self, kind: str, **values: np.ndarray | int | bool) -> None:
        """Append events; single values hold for all of them."""
        count = len(values["customer"])  # type: ignore[arg-type]
        if count:
            self._parts[kind].append(
                {name: np.broadcast_to(np.asarray(values[name], dtype=of), count) for name, of in EVENTS[kind].items()}
            )
            self.order_count += count if kind == "orders" else 0

    def take(self, kind: str) -> dict[str, np.ndarray]:
        """Return all events of a kind as arrays, and forget them."""
        parts = self._parts.pop(kind, [])
        if not parts:
            return {name: np.empty(0, dtype=of) for name, of in EVENTS[kind].items()}
        return {name: np.concatenate([part[name] for part in parts]) for name in EVENTS[kind]}


@dataclass
class State:
    """Customers of a chunk on the evening of a day (arrays over customers, and what is planned for later days)."""

    openness: np.ndarray  # 1 open to new interest, 0 interested already or gone, between when losing interest
    visiting: np.ndarray  # daily probability of a web visit
    grievance: np.ndarray
    churn_hazard: np.ndarray  # daily; 0 once interest is being lost
    is_fading: np.ndarray
    is_gone: np.ndarray
    churn_day: np.ndarray  # NEVER while active
    fading_day: np.ndarray
    is_interested: np.ndarray
    last_purchase: np.ndarray  # day; of creation before the first
    last_seen: np.ndarray  # day of the last order or opened mail
    takes_mail: np.ndarray
    unsubscribed_day: np.ndarray
    orders: np.ndarray
    known: np.ndarray  # number of customers created up to each day
    organisations: np.ndarray  # their numbers, in order of creation
    purchases: dict[int, list] = field(default_factory=lambda: defaultdict(list))
    departures: dict[int, list] = field(default_factory=lambda: defaultdict(list))
    deliveries: dict[int, list] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def new(cls, traits: Traits, parameters: Parameters) -> State:
        """Return the state before the first day."""
        count = len(traits)
        return cls(
            openness=np.ones(count, dtype=np.float32),
            visiting=(traits.web * parameters.visits_otherwise).astype(np.float32),
            grievance=np.zeros(count, dtype=np.float32),
            churn_hazard=traits.churn_rate.astype(np.float32),
            is_fading=np.zeros(count, dtype=bool),
            is_gone=np.zeros(count, dtype=bool),
            churn_day=np.full(count, NEVER, dtype=np.int32),
            fading_day=np.full(count, NEVER, dtype=np.int32),
            is_interested=np.zeros(count, dtype=bool),
            last_purchase=traits.created_day.copy(),
            last_seen=traits.created_day.copy(),
            takes_mail=traits.consents[:, 0].copy(),
            unsubscribed_day=np.full(count, NEVER, dtype=np.int32),
            orders=np.zeros(count, dtype=np.int32),
            known=np.searchsorted(traits.created_day, np.arange(parameters.days), side="right"),
            organisations=np.flatnonzero(traits.is_organisation),
        )


@dataclass
class Simulation:
    """Customers of a chunk on their way through the days: who they are, how they are, what has happened."""

    world: World
    traits: Traits
    state: State
    log: EventLog
    draws: Draws

    @classmethod
    def begin(cls, world: World, traits: Traits, rng: np.random.Generator) -> Simulation:
        """Return the simulation before the first day."""
        return cls(world, traits, State.new(traits, world.parameters), EventLog(), InSequence(rng))

    def chance(self, who: Who, what: str) -> np.ndarray:
        """Return a random number between 0 and 1 for each of the first `who`, or of these, customers."""
        return self.draws.uniform(who, what)


def plan(calendar: dict[int, list], day: np.ndarray, *values: np.ndarray) -> None:
    """Enter events into a calendar of coming days, in rows of `values`."""
    if not len(day):
        return
    order = np.argsort(day, kind="stable")
    day = day[order]
    starts = np.flatnonzero(np.diff(day, prepend=-1))
    for first, last in zip(starts, [*starts[1:], len(day)], strict=True):
        calendar[int(day[first])].append(tuple(column[order[first:last]] for column in values))


def take_due(calendar: dict[int, list], day: int) -> tuple[np.ndarray, ...]:
    """Return the columns of what was planned for `day`, and forget it; empty when nothing was."""
    parts = calendar.pop(day, None)
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True)) if parts else ()
