"""Purchases, value and P(alive) of each customer in the months to come, with intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.lifetime_value import amounts, config
from models_ml.lifetime_value.buying import BuyingModel, purchase_bounds
from models_ml.lifetime_value.expectations import Outlook
from models_ml.lifetime_value.gamma_gamma import GammaGamma, conditional_mean_value, has_own_value, posterior
from models_ml.lifetime_value.history import DAYS_PER_WEEK
from models_ml.lifetime_value.triples import Triples, aggregate

FORMAT = 1
MODEL_FILE = "lifetime_value.json"
VECTORS = ("frequency", "recency", "T")
# The square of a mean value has no expectation below a shape of 2; a bound at 2.1 makes a wide interval of such a customer.
LEAST_SHAPE = 2.1
# Of P(alive), so that a customer long gone can be divided by it.
SMALLEST = 1e-12


@dataclass(frozen=True)
class LifetimeValueModel:
    """Models of buying and of spending.

    Parameters
    ----------
    buying : BuyingModel
    spending : GammaGamma or None
        None where there are no amounts to learn from; then no value is predicted.
    typical_value : float
        Mean value of a repeat purchase over customers, for whom the spending model knows no expectation (q <= 1).
    longest_history : float
        Weeks; beyond it a horizon is extrapolated.
    facts : dict
        What a reader of the file wants to know; plain JSON.
    """

    buying: BuyingModel
    spending: GammaGamma | None
    typical_value: float
    longest_history: float
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write one plain JSON file."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "buying": self.buying.to_dict(),
            "spending": self.spending.to_dict() if self.spending else None,
            "typical_value": self.typical_value,
            "longest_history": self.longest_history,
            "facts": self.facts,
        }
        (folder / MODEL_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> LifetimeValueModel:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the file was written by another version of this format.
        """
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"model files of format {content['format']}; this version reads format {FORMAT}")
        return cls(
            buying=BuyingModel.from_dict(content["buying"]),
            spending=GammaGamma.from_dict(content["spending"]) if content["spending"] else None,
            typical_value=content["typical_value"],
            longest_history=content["longest_history"],
            facts=content["facts"],
        )


def predict_months(
    model: LifetimeValueModel,
    customers: pd.DataFrame,
    months: Sequence[float] = config.MONTHS,
    level: float = config.LEVEL,
) -> pd.DataFrame:
    """Return what each customer will buy and bring.

    Parameters
    ----------
    customers : DataFrame
        customer_id, frequency, recency, T (weeks, from `history.summarise`) and mean_value (money; NaN, or 0 and less after
        returns, where a customer has none of his own: then the mean of all counts).
    months : sequence of float
        Horizons.
    level : float
        Probability of the intervals. Those of purchases and value are about what the customer will really do, that of
        P(alive) about how surely it is known.

    Returns
    -------
    DataFrame
        One row a customer and horizon: customer_id, months, expected_purchases, purchases_low, purchases_high,
        expected_value, value_low, value_high (NaN without a spending model), has_own_value, is_extrapolated (the horizon is
        longer than the history that was learnt from), probability_alive (now), alive_low, alive_high (`alive_bounds`).

    Raises
    ------
    ValueError
        When a column is missing, a customer appears twice, the vectors contradict each other (`triples.check`), a horizon
        is not above 0, or `level` is not a probability.
    """
    _check(model, customers, months, level)
    triples = aggregate(*(customers[name] for name in VECTORS))
    alive = model.buying.alive(triples.frequency, triples.recency, triples.T)
    low, high = model.buying.alive_bounds(triples, level)
    now = {"probability_alive": alive, "alive_low": low, "alive_high": high}
    frames = [_one_horizon(model, customers, triples, float(horizon), level) for horizon in months]
    for name, values in now.items():
        for frame in frames:
            frame[name] = values[triples.inverse]
    return pd.concat(frames, ignore_index=True)


def _check(model: LifetimeValueModel, customers: pd.DataFrame, months: Sequence[float], level: float) -> None:
    needed = [config.ENTITY, *VECTORS, *(["mean_value"] if model.spending else [])]
    missing = [name for name in needed if name not in customers]
    if missing:
        raise ValueError(f"the customers lack column {', '.join(missing)}")
    if customers[config.ENTITY].duplicated().any():
        raise ValueError(f"{int(customers[config.ENTITY].duplicated().sum())} customers appear more than once")
    if not len(months) or not all(np.isfinite(horizon) and horizon > 0 for horizon in months):
        raise ValueError(f"horizons are months above 0, not {list(months)}")
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, not at {level}")


def _one_horizon(
    model: LifetimeValueModel, customers: pd.DataFrame, triples: Triples, months: float, level: float
) -> pd.DataFrame:
    weeks = months * config.WEEKS_PER_MONTH
    outlooks = model.buying.outlooks(weeks, triples)
    low, high = purchase_bounds(model.buying, outlooks, level)
    counts = _counts(model, outlooks, triples.inverse)
    frame = pd.DataFrame(
        {
            config.ENTITY: customers[config.ENTITY].to_numpy(),
            "months": months,
            "expected_purchases": counts["expected"],
            "purchases_low": low[triples.inverse],
            "purchases_high": high[triples.inverse],
        }
    )
    for name, values in _value(model, customers, counts, level).items():
        frame[name] = values
    frame["is_extrapolated"] = weeks > model.longest_history
    return frame


def _counts(model: LifetimeValueModel, outlooks: list[Outlook], place: np.ndarray) -> dict[str, np.ndarray]:
    """Return the (n,) expected purchases, the expectation of their square, and the probability of any."""
    moments = [outlook.moments() for outlook in outlooks]
    factor = model.buying.factor
    found = {
        "expected": factor * np.mean([first for first, _ in moments], axis=0),
        "square": factor**2 * np.mean([second for _, second in moments], axis=0),
        "any": np.mean([outlook.at_least(1) for outlook in outlooks], axis=0),
    }
    return {name: values[place] for name, values in found.items()}


def _value(
    model: LifetimeValueModel, customers: pd.DataFrame, counts: dict[str, np.ndarray], level: float
) -> dict[str, Any]:
    """Return the columns about value: with N purchases of gamma amounts, E[Z] and E[Z^2] follow from those of N and of 1 / nu."""
    if model.spending is None:
        return {"expected_value": np.nan, "value_low": np.nan, "value_high": np.nan, "has_own_value": False}
    frequency, own = _spent(customers)
    value = value_of_a_purchase(model, customers)
    shape, _ = posterior(model.spending, frequency, own)
    # 1 / nu has the mean rate / (shape - 1), and its mean square is that squared times (shape - 1) / (shape - 2).
    shape = np.maximum(shape, LEAST_SHAPE)
    square_of_value = value**2 * (shape - 1) / (shape - 2)
    square = square_of_value * (counts["square"] + counts["expected"] / model.spending.p)
    low, high = amounts.bounds(counts["any"], counts["expected"] * value, square, level)
    return {
        "expected_value": counts["expected"] * value,
        "value_low": low,
        "value_high": high,
        "has_own_value": has_own_value(frequency, own),
    }


def value_of_a_purchase(model: LifetimeValueModel, customers: pd.DataFrame) -> np.ndarray:
    """Return the (n,) expected value of a purchase to come; 1 each where nothing is known of value."""
    frequency, own = _spent(customers)
    if model.spending is None:
        return np.ones(len(frequency))
    mean = conditional_mean_value(model.spending, frequency, own)
    return np.where(np.isfinite(mean), mean, model.typical_value)


def _spent(customers: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) repeat purchases and the mean value of one."""
    return (
        customers["frequency"].to_numpy(dtype=np.float64),
        customers["mean_value"].to_numpy(dtype=np.float64, na_value=np.nan),
    )


def factors(model: LifetimeValueModel, customers: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Return what the expected value of each customer in `horizon_days` is the product of.

    Parameters
    ----------
    customers : DataFrame of n rows
        From `history.summarise`.

    Returns
    -------
    DataFrame
        probability_alive, purchases_if_alive (expected within the horizon, given that the customer still is one) and
        value_of_a_purchase; n rows.
    """
    triples = aggregate(*(customers[name] for name in VECTORS))
    vectors = (triples.frequency, triples.recency, triples.T)
    alive = np.maximum(model.buying.alive(*vectors), SMALLEST)
    purchases = model.buying.expected(horizon_days / DAYS_PER_WEEK, *vectors)
    return pd.DataFrame(
        {
            "probability_alive": alive[triples.inverse],
            "purchases_if_alive": (purchases / alive)[triples.inverse],
            "value_of_a_purchase": value_of_a_purchase(model, customers),
        },
        index=customers.index,
    )


def months_ahead(
    model: LifetimeValueModel, customers: pd.DataFrame, months: Sequence[int] = config.MONTHS
) -> dict[str, np.ndarray]:
    """Return expected purchases and value of each customer by month, with intervals of value, one column each.

    Parameters
    ----------
    customers : DataFrame of n rows
        From `history.summarise`.

    Returns
    -------
    dict of ndarray of shape (n,)
        expected_purchases_3m, expected_value_3m, expected_value_3m_lo80 and _hi80, and so on for each of the `months`.
    """
    triples = aggregate(*(customers[name] for name in VECTORS))
    found = {}
    for month in months:
        outlooks = model.buying.outlooks(month * config.WEEKS_PER_MONTH, triples)
        counts = _counts(model, outlooks, triples.inverse)
        value = _value(model, customers, counts, config.INTERVAL_SHARE)
        found[f"expected_purchases_{month}m"] = counts["expected"]
        found[f"expected_value_{month}m"] = value["expected_value"]
        found[f"expected_value_{month}m_lo80"] = value["value_low"]
        found[f"expected_value_{month}m_hi80"] = value["value_high"]
    return found
