"""Names that a marketer understands, from how the members of a segment compare with all customers."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

# (feature, from quantile, to quantile, word): the first that fits is taken; quantiles of the member's median among all.
HABITS = (
    ("tenure_days", 0.0, 0.15, "New"),
    ("recency_days", 0.7, 1.0, "Lapsed"),
    ("purchases_365d", 0.7, 1.0, "Loyal"),
    ("recency_days", 0.55, 1.0, "Fading"),
    ("purchases_365d", 0.45, 0.7, "Regular"),
    ("purchases_365d", 0.0, 1.0, "Occasional"),
)
SPENDING = (
    ("revenue_365d", 0.75, 1.0, "big spenders"),
    ("revenue_365d", 0.45, 0.75, "medium spenders"),
    ("revenue_365d", 0.0, 1.0, "small spenders"),
)
# What tells two segments of the same name apart.
DETAILS = (
    ("average_order_value", 0.8, 1.0, "with large orders"),
    ("discount_share", 0.7, 1.0, "who buy at a discount"),
    ("web_visits_30d", 0.7, 1.0, "who visit the shop often"),
    ("emails_opened_90d", 0.7, 1.0, "who read our mails"),
    ("distinct_products", 0.7, 1.0, "with many products"),
    ("average_order_value", 0.0, 0.3, "with small orders"),
    ("web_visits_30d", 0.0, 0.3, "who stay away from the shop"),
    ("distinct_products", 0.0, 0.3, "with few products"),
)
EVERYBODY = "All customers"


def names(frame: pd.DataFrame, labels: np.ndarray, taken: Collection[str] = ()) -> dict[int, str]:
    """Return a name for each label, different from each other and from those `taken`.

    Parameters
    ----------
    frame : DataFrame
        Features of the customers.
    labels : (n,) ndarray
        Segment of each.
    """
    if (labels == labels[0]).all():
        return {int(labels[0]): EVERYBODY}
    found: dict[int, str] = {}
    for label in (int(value) for value in np.unique(labels)):
        places = {name: _place(frame, labels == label, name) for name in _read(frame)}
        base = f"{_habit(frame, labels == label, places)} {_word(SPENDING, places)}".strip()
        used = {*taken, *found.values()}
        details = [f"{base} {word}" for name, low, high, word in DETAILS if _fits(places, name, low, high)]
        numbered = (f"{base} {number}" for number in range(2, len(used) + 3))
        found[label] = next(name for name in (base, *details, *numbered) if name not in used)
    return found


def _read(frame: pd.DataFrame) -> list[str]:
    return sorted({name for name, *_ in (*HABITS, *SPENDING, *DETAILS) if name in frame.columns})


def _place(frame: pd.DataFrame, mine: np.ndarray, name: str) -> float:
    """Return where the median of the members lies among all customers: the share that has less, ties in the middle."""
    values = frame[name].fillna(0.0).to_numpy(dtype=np.float64)
    middle = np.median(values[mine])
    return float((values < middle).mean() + 0.5 * (values == middle).mean())


def _habit(frame: pd.DataFrame, mine: np.ndarray, places: dict[str, float]) -> str:
    """Return how the members buy; most of them only once is no rhythm, whatever others do."""
    word = _word(HABITS, places)
    once = "purchases_total" in frame.columns and frame["purchases_total"][mine].median() <= 1
    return "One-time" if once and word not in ("New", "Lapsed") else word


def _word(words: tuple[tuple[str, float, float, str], ...], places: dict[str, float]) -> str:
    return next((word for name, low, high, word in words if _fits(places, name, low, high)), "")


def _fits(places: dict[str, float], name: str, low: float, high: float) -> bool:
    return name in places and low <= places[name] <= high
