"""The simple models that a propensity model has to beat, and that serve where data are thin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core import linear
from models_ml.core.blend import BlendModel, float_matrix
from models_ml.core.propensity.rows import label
from models_ml.core.propensity.settings import Settings
from models_ml.core.threshold import ThresholdModel, fit_best

RATE_LIMIT = 1e-6


@dataclass(frozen=True)
class Regression:
    """Logistic regression on a few columns."""

    columns: tuple[str, ...]

    def fit(
        self, rows: pd.DataFrame, settings: Settings, excluded: frozenset[str], facts: dict[str, Any], threads: int
    ) -> BlendModel:
        """Fit on those columns that are there and not `excluded`.

        Raises
        ------
        ValueError
            When none is.
        """
        columns = _present(self.columns, rows, excluded)
        part = linear.fit(float_matrix(rows, columns), label(rows, settings), columns)
        method = "logistic regression on " + ", ".join(columns)
        return BlendModel(columns, None, part, 0.0, facts={**facts, "method": method}, threads=threads)


@dataclass(frozen=True)
class ShareOfAll:
    """The same probability for everybody, as a regression whose only coefficient (of one of `columns`) is zero."""

    columns: tuple[str, ...]

    def fit(
        self, rows: pd.DataFrame, settings: Settings, excluded: frozenset[str], facts: dict[str, Any], threads: int
    ) -> BlendModel:
        """Take the share in `rows`."""
        columns = _present(self.columns, rows, excluded)[:1]
        rate = float(np.clip(label(rows, settings).mean(), RATE_LIMIT, 1 - RATE_LIMIT))
        zero = np.zeros(len(columns))
        part = linear.LogLinear(columns, zero, np.ones(len(columns)), zero, float(np.log(rate / (1 - rate))))
        method = f"the share of all customers who {settings.POSITIVE}, for everybody alike"
        return BlendModel(columns, None, part, 0.0, facts={**facts, "method": method}, threads=threads)


@dataclass(frozen=True)
class Silence:
    """The best of the rules "no purchase for W, W/2, W/4 ... days", W being the horizon: one probability on either side.

    Parameters
    ----------
    column : str
        Days since the last purchase.
    halvings : int
        How often W is halved.
    """

    column: str = "recency_days"
    halvings: int = 6

    def fit(
        self, rows: pd.DataFrame, settings: Settings, excluded: frozenset[str], facts: dict[str, Any], threads: int
    ) -> ThresholdModel:
        """Take the rule with the lowest Brier score on `rows`."""
        del threads
        (column,) = _present((self.column,), rows, excluded)
        horizon = facts["horizon_days"]
        days = sorted({horizon // 2**power for power in range(self.halvings + 1)} - {0})
        found = fit_best(column, rows[column].to_numpy(dtype=float), label(rows, settings), days)
        return found.with_facts({**facts, "method": f"no purchase for more than {found.threshold:g} days"})


def _present(columns: tuple[str, ...], rows: pd.DataFrame, excluded: frozenset[str]) -> tuple[str, ...]:
    found = tuple(name for name in columns if name in rows.columns and name not in excluded)
    if not found:
        raise ValueError(f"none of {', '.join(columns)} can be used")
    return found
