"""Two-part trees: will the customer buy at all, and if so how often and for how much?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from models_ml.core.blend import float_matrix
from models_ml.lifetime_value import amounts, config

PARTS = ("buys", "purchases", "value")
MIN_BUYERS = 50  # and as many who do not buy
FILE = "two_part.json"


@dataclass(frozen=True)
class TwoPart:
    """Fitted trees for one horizon.

    Parameters
    ----------
    features : tuple of str
    boosters : dict
        By part: "buys" (probability), "purchases" (beyond the first, given one), "value" (given a purchase of some value).
    log_spread : float
        Standard deviation of the logarithm of actual / predicted value among training buyers, for the intervals.
    """

    features: tuple[str, ...]
    boosters: dict[str, xgb.Booster]
    log_spread: float

    def save(self, folder: Path) -> None:
        """Write plain files: JSON, and XGBoost's own format."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"features": list(self.features), "log_spread": self.log_spread}
        (folder / FILE).write_text(json.dumps(content, sort_keys=True) + "\n", encoding="utf-8")
        for part, booster in self.boosters.items():
            (folder / f"{part}.ubj").write_bytes(bytes(booster.save_raw("ubj")))

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> TwoPart:
        """Read what `save` wrote."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        boosters = {
            part: xgb.Booster({"nthread": threads}, model_file=bytearray((folder / f"{part}.ubj").read_bytes()))
            for part in PARTS
        }
        return cls(tuple(content["features"]), boosters, content["log_spread"])


def fit_two_part(
    frame: pd.DataFrame,
    features: Sequence[str],
    purchases: np.ndarray,
    value: np.ndarray,
    *,
    seed: int = config.SEED,
    threads: int = 1,
) -> TwoPart:
    """Fit on one cut-off's customers and what they bought in the horizon after it.

    Parameters
    ----------
    frame : DataFrame of n rows
        The `features`, numbers, NaN where unknown.
    purchases, value : ndarray of shape (n,)
        In the horizon.

    Raises
    ------
    ValueError
        When fewer than `MIN_BUYERS` bought, or fewer did not.
    """
    bought = purchases > 0
    worth = value > 0
    if min(int((bought & worth).sum()), int((~bought).sum())) < MIN_BUYERS:
        raise ValueError(
            f"{int(bought.sum())} of {len(bought)} customers bought in the horizon; trees need {MIN_BUYERS} who did, for "
            f"some value, and {MIN_BUYERS} who did not"
        )
    matrix = float_matrix(frame, features)
    boosters = {
        "buys": _fit(matrix, bought, "binary:logistic", seed, threads),
        "purchases": _fit(matrix[bought], purchases[bought] - 1, "count:poisson", seed, threads),
        "value": _fit(matrix[worth], value[worth], "reg:gamma", seed, threads),
    }
    residual = np.log(value[worth]) - np.log(boosters["value"].inplace_predict(matrix[worth]))
    return TwoPart(tuple(features), boosters, float(residual.std()))


def predict_two_part(model: TwoPart, frame: pd.DataFrame, level: float = config.LEVEL) -> pd.DataFrame:
    """Return expected_purchases, expected_value, value_low, value_high and probability_buys of each row.

    Raises
    ------
    ValueError
        When `frame` lacks a feature.
    """
    missing = [name for name in model.features if name not in frame]
    if missing:
        raise ValueError(f"the data lack column {', '.join(missing)}, which the trees were trained on")
    matrix = float_matrix(frame, model.features)
    found = {part: booster.inplace_predict(matrix).astype(np.float64) for part, booster in model.boosters.items()}
    mean = found["buys"] * found["value"]
    low, high = amounts.bounds(found["buys"], mean, mean * found["value"] * np.exp(model.log_spread**2), level)
    return pd.DataFrame(
        {
            "expected_purchases": found["buys"] * (1 + found["purchases"]),
            "expected_value": mean,
            "value_low": low,
            "value_high": high,
            "probability_buys": found["buys"],
        },
        index=frame.index,
    )


def _fit(matrix: np.ndarray, label: np.ndarray, objective: str, seed: int, threads: int) -> xgb.Booster:
    settings: dict[str, Any] = {**config.TREE_PARAMETERS, "objective": objective, "seed": seed, "nthread": threads}
    data = xgb.QuantileDMatrix(np.ascontiguousarray(matrix), label=label.astype(np.float64), nthread=threads)
    return xgb.train(settings, data, num_boost_round=config.ROUNDS)
