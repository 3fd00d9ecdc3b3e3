"""The simulated company in worlds that differ in whom is contacted, and how: one that learns, and habits beside it.

The bandit reads only what the company can see: orders, membership, kind of customer, consents, its own contacts. Each customer
is decided on once in the outcome days, so that an outcome belongs to one decision; who was contacted is left alone the next time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crm_agents.simulator import Parameters, marketing, season
from crm_agents.simulator.contacts import ACTION_OF_CHOICE, Effect, probability
from crm_agents.simulator.draws import day_stream
from crm_agents.simulator.forward import LivingCompany
from crm_agents.simulator.forward.ledger import Ledger
from crm_agents.simulator.forward.sales import DISCOUNT_PERCENT
from crm_agents.simulator.forward.world import history
from models_ml.next_best_action import config
from models_ml.next_best_action.bandit import Bandit
from models_ml.next_best_action.choice import uniform
from models_ml.next_best_action.policy import control_arm, options_from
from models_ml.next_best_action.predict import choose
from models_ml.next_best_action.train import begin, update

TITLES = {"bandit": "learnt", "random": "options by lot", "discount": "always a discount", "none": "no contacts"}
MAIL_OPTIONS = ("mail_discount", "mail_new_products", "loyalty_bonus")
OPTIONS = options_from(
    [
        {"name": name, "cost": Effect.mail_cents / 100, "channel": "email", "purpose": "marketing"}
        for name in MAIL_OPTIONS
    ]
    + [{"name": "call", "cost": Effect.call_cents / 100, "channel": "phone", "purpose": "marketing"}]
)
NAMES = np.array([it.name for it in OPTIONS])
FEATURES = (
    "recency_days",
    "orders_365d",
    "orders_90d",
    "usual_order_value",
    "is_member",
    "is_organisation",
    "discount_share",
    "repeat_share",
)
YEAR_DAYS, QUARTER_DAYS, CONTACT_SHARE = 365, 90, 0.25
MEAN_ORDERS = 2
LONG_AGO = -(10**6)


@dataclass
class World:
    """A company, the day on which it contacted each customer last, and what its contacts truly bring less their cost."""

    company: LivingCompany
    expected: float = 0.0
    last_contact: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def welcome(self) -> None:
        """Make room for customers who have come."""
        more = len(self.company.simulation.traits) - len(self.last_contact)
        self.last_contact = np.append(self.last_contact, np.full(more, LONG_AGO))

    def allowed(self, customers: np.ndarray) -> pd.DataFrame:
        """Return which option each of these customers has agreed to."""
        simulation = self.company.simulation
        takes_mail = simulation.state.takes_mail[customers]
        takes_calls = simulation.traits.consents[customers, marketing.PHONE]
        return pd.DataFrame({it.name: takes_calls if it.channel == "phone" else takes_mail for it in OPTIONS[1:]})

    def due(self, ids: pd.Series, is_control: np.ndarray) -> np.ndarray:
        """Return the customers to decide on for the next day: it is their turn, they bought within a year and have rested."""
        day, window = self.company.day + 1, self.company.world.parameters.outcome_days
        it = self.company.ledger
        bought = np.zeros(len(ids), dtype=bool)
        bought[it.customer[it.day > self.company.day - YEAR_DAYS]] = True
        turn = (uniform(ids, "turn") * window).astype(int) == day % window
        return np.flatnonzero(turn & bought & (day - self.last_contact >= 2 * window) | (turn & bought & is_control))

    def step(self, customers: np.ndarray, options: np.ndarray) -> None:
        """Contact customers with these options (by number) on the next day, and live through it."""
        day = self.company.day + 1
        self.expected += self._true_gain(customers, options)
        wishes = [
            (np.sort(customers[options == place]), ACTION_OF_CHOICE[str(NAMES[place])])
            for place in range(1, len(NAMES))
            if (options == place).any()
        ]
        self.company.step(wishes)
        self.last_contact[customers] = day

    def _true_gain(self, customers: np.ndarray, options: np.ndarray) -> float:
        """Return what these contacts bring in truth, on average, less their cost: for the report, no policy reads it."""
        it, day = self.company, self.company.day + 1
        order_value = usual_order_values(it.ledger, len(it.simulation.traits))
        total = 0.0
        for place in range(1, len(OPTIONS)):
            who = customers[options == place]
            chance = probability(it.simulation, it.contacts, day, who, ACTION_OF_CHOICE[str(NAMES[place])])
            paid = 1 - DISCOUNT_PERCENT / 100 if NAMES[place] == "mail_discount" else 1.0
            total += paid * float(chance @ order_value[who]) - OPTIONS[place].cost * len(who)
        return total

    def revenue(self, first_day: int, last_day: int) -> np.ndarray:
        """Return what each customer brought from `first_day` to `last_day`, deals apart, in currency units."""
        it = self.company.ledger
        chosen = (it.day >= first_day) & (it.day <= last_day) & ~it.is_deal
        return np.bincount(it.customer[chosen], it.net_cents[chosen], len(self.company.simulation.traits)) / 100


def features(world: World, profile: pd.DataFrame, customers: np.ndarray) -> pd.DataFrame:
    """Return what the company can see of these customers on the evening before."""
    company = world.company
    it, traits, today = company.ledger, company.simulation.traits, company.day
    count = len(traits)
    goods = ~it.is_deal & (it.net_cents > 0)
    last = np.full(count, LONG_AGO)
    np.maximum.at(last, it.customer, it.day)
    year, quarter = (goods & (it.day > today - days) for days in (YEAR_DAYS, QUARTER_DAYS))
    known = profile.reindex(np.arange(count))
    frame = pd.DataFrame(
        {
            config.ENTITY: ids_of(company),
            "recency_days": np.minimum(today - last, YEAR_DAYS),
            "orders_365d": np.bincount(it.customer[year], minlength=count),
            "orders_90d": np.bincount(it.customer[quarter], minlength=count),
            "usual_order_value": usual_order_values(it, count),
            "is_member": traits.is_member.astype(float),
            "is_organisation": traits.is_organisation.astype(float),
            "discount_share": known["discount_share"].to_numpy(),
            "repeat_share": known["repeat_share"].to_numpy(),
        }
    )
    return frame.iloc[customers].reset_index(drop=True)


def usual_order_values(ledger: Ledger, count: int) -> np.ndarray:
    """Return each customer's mean order, drawn towards the mean of all by `MEAN_ORDERS` orders."""
    goods = ~ledger.is_deal & (ledger.net_cents > 0)
    orders = np.bincount(ledger.customer[goods], minlength=count)
    value = np.bincount(ledger.customer[goods], ledger.net_cents[goods], count) / 100
    return (value + MEAN_ORDERS * value.sum() / orders.sum()) / (orders + MEAN_ORDERS)


def ids_of(company: LivingCompany) -> pd.Series:
    """Return the customer ids."""
    return pd.Series(company.first_number + np.arange(len(company.simulation.traits))).astype(str)


def profiles(parameters: Parameters) -> pd.DataFrame:
    """Return from the order lines of the history, as the CRM has them, the share of discounts and of repeated products."""
    _, story = history(parameters)
    lines = pd.DataFrame(
        {
            "customer": story.orders.customer[story.lines.order],
            "product": story.lines.product,
            "gross": story.lines.quantity * story.lines.price,
            "discount": story.lines.discount,
        }
    )
    lines = lines[lines["gross"] > 0]
    lines["is_repeat"] = lines.duplicated(["customer", "product"])
    by_customer = lines.groupby("customer")
    sums = by_customer[["gross", "discount"]].sum()
    return pd.DataFrame(
        {"discount_share": sums["discount"] / sums["gross"], "repeat_share": by_customer["is_repeat"].mean()}
    )


@dataclass
class Race:
    """The worlds of one seed in step, and the bandit that learns in the first of them."""

    parameters: Parameters
    first_day: int
    worlds: dict[str, World]
    bandit: Bandit
    profile: pd.DataFrame
    waiting: list[tuple[int, pd.DataFrame]] = field(default_factory=list)  # decisions whose outcome days run
    control_shares: list[float] = field(default_factory=list)
    chosen: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def begin(cls, customers: int, seed: int) -> Race:
        """Return the worlds on the evening on which the history ends."""
        parameters = Parameters(customers=customers, seed=seed)
        first = LivingCompany(parameters, keeps_books=False)
        worlds = {"bandit": World(first), **{name: World(first.twin()) for name in list(TITLES)[1:]}}
        worlds["bandit"].welcome()
        profile = profiles(parameters)
        known = features(worlds["bandit"], profile, np.arange(len(first.simulation.traits)))
        return cls(
            parameters,
            first.day + 1,
            worlds,
            begin(known, OPTIONS, FEATURES, usual_column="usual_order_value"),
            profile,
        )

    def step(self) -> None:
        """Learn from outcomes that are over, decide, and live through a day in every world."""
        self._learn()
        made = 0
        for name, world in self.worlds.items():
            world.welcome()
            ids = ids_of(world.company)
            is_control = control_arm(ids)
            due = world.due(ids, is_control)
            if name == "bandit":
                self.control_shares.append(float(is_control.mean()))
                customers, options = self._decide(world, due, is_control[due])
                made = len(customers)
            else:
                customers, options = self._habit(name, world, due[~is_control[due]], made)
            world.step(customers, options)

    def _decide(self, world: World, due: np.ndarray, is_control: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        frame = features(world, self.profile, due)
        allowed = world.allowed(due)
        as_of = season.date_of(self.parameters, world.company.day)
        decided = choose(
            self.bandit, frame, allowed, as_of=as_of, seed=self.parameters.seed, max_contact_share=CONTACT_SHARE,
            is_control=is_control,
        )  # fmt: skip
        place = pd.Index(NAMES).get_indexer(decided["option"])
        self.waiting.append((world.company.day + 1, frame.join(decided[["option", "propensity"]]).assign(customer=due)))
        self.chosen.append(place[place > 0])
        return due[place > 0], place[place > 0]

    def _habit(self, name: str, world: World, due: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return as many customers as the bandit contacts, by lot among those whom the habit may contact."""
        allowed = world.allowed(due).to_numpy()
        if name == "discount":
            allowed = allowed & (NAMES[1:] == "mail_discount")
        rng = day_stream(self.parameters.seed, world.company.day, f"benchmark {name}")
        order = rng.permutation(np.flatnonzero(allowed.any(axis=1)))[: 0 if name == "none" else count]
        lot = np.where(allowed, rng.random(allowed.shape), -1.0)[order]
        return due[order], 1 + lot.argmax(axis=1)

    def _learn(self) -> None:
        world = self.worlds["bandit"]
        window = self.parameters.outcome_days
        while self.waiting and self.waiting[0][0] + window - 1 <= world.company.day:
            day, decisions = self.waiting.pop(0)
            revenue = world.revenue(day, day + window - 1)[decisions["customer"]]
            cost = np.array([it.cost for it in OPTIONS])[pd.Index(NAMES).get_indexer(decisions["option"])]
            self.bandit = update(self.bandit, decisions.assign(reward=revenue - cost))

    def gain(self, other: str) -> tuple[np.ndarray, float]:
        """Return what each customer brought more in the bandit's world than in `other`, and how much more the contacts cost."""
        companies = [self.worlds[name].company for name in ("bandit", other)]
        spent = [company.contacts.cost_cents / 100 for company in companies]
        mine, theirs = (self.worlds[name].revenue(self.first_day, companies[0].day) for name in ("bandit", other))
        return mine - theirs, spent[0] - spent[1]
