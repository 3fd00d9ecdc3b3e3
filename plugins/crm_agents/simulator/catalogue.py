"""Products: categories, bundles bought together, prices over time, and what each segment of customers likes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crm_agents.simulator import columns, words
from crm_agents.simulator.parameters import Parameters
from crm_agents.simulator.streams import stream

CATEGORIES = tuple(words.NOUNS)
MEDIAN_PRICE = (18.0, 24.0, 9.0, 31.0, 7.0, 15.0, 22.0, 55.0)  # EUR, by category
EQUIPMENT_MEDIAN_PRICE = 1800.0
EQUIPMENT_SHARE = 0.08  # sold through opportunities only
BUNDLE_SIZE = 5
POPULARITY_EXPONENT = 0.8  # Zipf: a few products sell much, most sell little
CHANGING_SHARE = 0.06  # launched, and as many discontinued, during the history
LOOKUP_CELLS = 8192  # resolution of the tables from which products are drawn
SELLERS = 24


@dataclass(frozen=True)
class Segment:
    """A group of customers with its own taste (weights over `CATEGORIES`) and season."""

    name: str
    is_organisation: bool
    share: float  # of the persons, or of the organisations
    taste: tuple[float, ...]
    appetite: float
    season_size: float
    season_peak: int  # day of the year


SEGMENTS = (
    Segment("families", False, 0.34, (3, 1, 1, 0.3, 3, 2, 3, 1), 1.1, 0.1, 340),
    Segment("gardeners", False, 0.22, (1, 8, 0.2, 1.5, 1, 1, 0.5, 0.3), 0.9, 0.5, 130),
    Segment("home workers", False, 0.24, (1, 0.3, 7, 0.5, 1, 1, 0.5, 4), 0.9, 0.15, 260),
    Segment("hobby cooks", False, 0.20, (9, 1, 0.2, 0.2, 1.5, 1.5, 1.5, 1.5), 1.0, 0.2, 345),
    Segment("cafes and hotels", True, 0.30, (6, 0.5, 0.5, 0.2, 6, 2, 3, 1), 1.3, 0.2, 170),
    Segment("workshops", True, 0.30, (0.2, 1.5, 1, 9, 3, 0.1, 0.3, 1), 1.0, 0.15, 100),
    Segment("offices", True, 0.40, (0.7, 0.2, 9, 0.3, 3, 0.7, 0.2, 3), 1.1, 0.1, 20),
)


@dataclass(frozen=True)
class Catalogue:
    """The products (arrays over products unless said otherwise)."""

    category: np.ndarray
    is_equipment: np.ndarray
    price_cents: np.ndarray  # products x price periods
    period_of_day: np.ndarray  # price period of each day
    mates: np.ndarray  # products x BUNDLE_SIZE: the bundle that a product belongs to
    lookup: np.ndarray  # segments x LOOKUP_CELLS: product numbers in proportion to the segment's taste
    equipment: np.ndarray  # numbers of the equipment products
    launched: np.ndarray  # day number
    discontinued: np.ndarray  # day number, NEVER when still sold
    substitute: np.ndarray  # always available product of the same category
    seller: np.ndarray
    names: pa.Array

    def available(self, product: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return the products, each replaced by its substitute where it was not sold on that day."""
        absent = (day < self.launched[product]) | (day >= self.discontinued[product])
        return np.where(absent, self.substitute[product], product)

    def price(self, product: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Return prices in cents on the given days."""
        return self.price_cents[product, self.period_of_day[day]]

    def draw(self, segment: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw a product for each segment number, by taste and popularity."""
        return self.lookup[segment, rng.integers(LOOKUP_CELLS, size=segment.shape)]


def build_catalogue(parameters: Parameters, years: np.ndarray, drift_day: int) -> Catalogue:
    """Make the catalogue.

    Parameters
    ----------
    parameters : Parameters
        Number of products, price rise, drift.
    years : numpy.ndarray
        Calendar year of each day of the history: prices rise on 1 January.
    drift_day : int
        Day number from which the drift's price factor holds.
    """
    rng = stream(parameters.seed, "catalogue")
    count = parameters.product_count
    category = rng.permutation(np.arange(count) % len(CATEGORIES)).astype(np.int8)
    is_equipment = np.zeros(count, dtype=bool)
    is_equipment[rng.choice(count, max(len(CATEGORIES), round(count * EQUIPMENT_SHARE)), replace=False)] = True
    mates, weight = _bundles_and_weights(category, is_equipment, rng)
    launched, discontinued, substitute = _availability(category, is_equipment, parameters.days, rng)
    periods, period_of_day = _periods(years, drift_day)
    return Catalogue(
        category=category,
        is_equipment=is_equipment,
        price_cents=_prices(category, is_equipment, periods, parameters, rng),
        period_of_day=period_of_day,
        mates=mates,
        lookup=_lookup(category, weight),
        equipment=np.flatnonzero(is_equipment),
        launched=launched,
        discontinued=discontinued,
        substitute=substitute,
        seller=rng.integers(SELLERS, size=count),
        names=_names(category, is_equipment, rng),
    )


def products_table(catalogue: Catalogue, parameters: Parameters) -> pa.Table:
    """Return the table of products as the CRM exports it."""
    count = len(catalogue.category)
    types = np.where(catalogue.is_equipment, 2, np.isin(catalogue.category, (2, 4)).astype(int))
    is_active = catalogue.discontinued >= parameters.days
    first_day = columns.epoch_day(parameters.first_on)
    changed = np.where(is_active, catalogue.launched, catalogue.discontinued) + first_day
    return pa.table(
        {
            "product_id": columns.ids("P", np.arange(count), 5),
            "name": catalogue.names,
            "category": columns.pick(CATEGORIES, catalogue.category),
            "product_type": columns.pick(("durable", "consumable", "equipment"), types),
            "list_price": columns.money_text(catalogue.price_cents[:, -1]),
            "active": pa.array(is_active),
            "changed_at": columns.times(changed * columns.DAY),
        }
    )


def _bundles_and_weights(
    category: np.ndarray, is_equipment: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    mates = np.repeat(np.arange(len(category))[:, None], BUNDLE_SIZE, axis=1)
    weight = np.zeros(len(category))
    for number in range(len(CATEGORIES)):
        goods = rng.permutation(np.flatnonzero((category == number) & ~is_equipment))
        weight[goods] = 1.0 / np.arange(1, len(goods) + 1) ** POPULARITY_EXPONENT
        for bundle in np.array_split(goods, max(1, len(goods) // BUNDLE_SIZE)):
            mates[bundle] = np.resize(bundle, BUNDLE_SIZE)
    return mates, weight


def _lookup(category: np.ndarray, weight: np.ndarray) -> np.ndarray:
    totals = np.bincount(category, weight, len(CATEGORIES))
    rows = []
    for segment in SEGMENTS:
        share = np.asarray(segment.taste)[category] * weight / totals[category]
        edges = np.cumsum(share) / share.sum()
        rows.append(np.searchsorted(edges, (np.arange(LOOKUP_CELLS) + 0.5) / LOOKUP_CELLS))
    return np.stack(rows).astype(np.int32)


def _availability(
    category: np.ndarray, is_equipment: np.ndarray, days: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = len(category)
    launched = np.zeros(count, dtype=np.int32)
    discontinued = np.full(count, columns.NEVER, dtype=np.int32)
    order = rng.permutation(np.flatnonzero(~is_equipment))
    changing = round(count * CHANGING_SHARE)
    middle = (days // 5, max(days // 5 + 1, days - days // 10))
    launched[order[:changing]] = rng.integers(*middle, size=changing)
    gone = order[changing : 2 * changing]
    discontinued[gone] = rng.integers(*middle, size=len(gone))
    substitute = np.arange(count)
    for number in range(len(CATEGORIES)):
        steady = order[2 * changing :][category[order[2 * changing :]] == number]
        moving = order[: 2 * changing][category[order[: 2 * changing]] == number]
        substitute[moving] = np.resize(steady, len(moving))
    return launched, discontinued, substitute


def _periods(years: np.ndarray, drift_day: int) -> tuple[np.ndarray, np.ndarray]:
    drifted = (np.arange(len(years)) >= drift_day).astype(np.int64)
    distinct, period_of_day = np.unique(years * 2 + drifted, return_inverse=True)
    return distinct, period_of_day


def _prices(
    category: np.ndarray,
    is_equipment: np.ndarray,
    periods: np.ndarray,
    parameters: Parameters,
    rng: np.random.Generator,
) -> np.ndarray:
    median = np.where(is_equipment, EQUIPMENT_MEDIAN_PRICE, np.asarray(MEDIAN_PRICE)[category])
    first = median * np.exp(rng.normal(0, 0.5, len(category)))
    rise = (1 + parameters.price_rise_a_year) ** (periods // 2 - periods[0] // 2)
    factor = parameters.drift.price_factor if parameters.drift else 1.0
    prices = first[:, None] * (rise * np.where(periods % 2 == 1, factor, 1.0))[None, :]
    return np.maximum(99, np.floor(prices * 10).astype(np.int64) * 10 + 9)  # shops like a 9 at the end


def _names(category: np.ndarray, is_equipment: np.ndarray, rng: np.random.Generator) -> pa.Array:
    names = np.empty(len(category), dtype=object)
    for number, (title, nouns) in enumerate(words.NOUNS.items()):
        combinations = rng.permutation(len(nouns) * len(words.ADJECTIVES))
        goods = np.flatnonzero((category == number) & ~is_equipment)
        for place, product in enumerate(goods):
            adjective, noun = divmod(int(combinations[place % len(combinations)]), len(nouns))
            series = "" if place < len(combinations) else f" {place // len(combinations) + 1}"
            names[product] = f"{words.ADJECTIVES[adjective]} {nouns[noun]}{series}"
        for place, product in enumerate(np.flatnonzero((category == number) & is_equipment)):
            names[product] = f"{words.EQUIPMENT[title]} {100 * (place + 1)}"
    return pa.array(names, pa.string())
