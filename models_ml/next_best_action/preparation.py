"""From features to the columns of a regression: standardised logarithms, fixed once fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.linear import SMALLEST_SPREAD, signed_log
from models_ml.next_best_action import config
from models_ml.next_best_action.errors import ActionInputError

# Standard deviations: an effect fitted on the many is not drawn out to the one customer who is far from all the others.
FARTHEST = 4.0


@dataclass(frozen=True)
class Preparation:
    """Centre and scale of each feature's logarithm, as they were when the model was begun.

    A missing or infinite value stands at the mean of its column and so changes no expectation.
    """

    columns: tuple[str, ...]
    mean: np.ndarray  # (c,)
    scale: np.ndarray  # (c,); 1 where the column was constant
    usual_column: str | None = None
    usual: float = config.USUAL_REWARD

    @classmethod
    def fit(cls, frame: pd.DataFrame, columns: Sequence[str], usual_column: str | None = None) -> Preparation:
        """Return the preparation for features as they are in `frame`.

        Parameters
        ----------
        frame : DataFrame
        columns : sequence of str
            The features.
        usual_column : str, optional
            How much is usual for an entity, in reward units (its average order value, say). Where it is missing, zero or
            negative, the median stands in for it.

        Raises
        ------
        ActionInputError
            When there is no row, or a column is not there or not numeric.
        """
        if not len(frame):
            raise ActionInputError("there is no entity to learn the scale of the features from")
        logs = _logs(frame, columns)
        known = np.isfinite(logs)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, logs, 0.0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (logs - mean) ** 2, 0.0).sum(axis=0) / count)
        usual = config.USUAL_REWARD
        if usual_column:
            amounts = _numbers(frame, [usual_column])[:, 0]
            is_usable = np.isfinite(amounts) & (amounts > 0)
            usual = float(np.median(amounts[is_usable])) if is_usable.any() else usual
        return cls(tuple(columns), mean, np.where(spread > SMALLEST_SPREAD, spread, 1.0), usual_column, usual)

    @property
    def width(self) -> int:
        """Number of columns of the design, the constant included."""
        return len(self.columns) + 1

    def design(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the (n, 1 + c) design: a constant and the standardised logarithms.

        Raises
        ------
        ActionInputError
            When a column is not there or not numeric.
        """
        standard = (_logs(frame, self.columns) - self.mean) / self.scale
        standard = np.where(np.isfinite(standard), np.clip(standard, -FARTHEST, FARTHEST), 0.0)
        return np.column_stack([np.ones(len(frame)), standard])

    def usual_rewards(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the (n,) amounts in which each entity's rewards are measured, all above 0."""
        if self.usual_column is None:
            return np.full(len(frame), self.usual)
        amounts = _numbers(frame, [self.usual_column])[:, 0]
        return np.where(np.isfinite(amounts) & (amounts > 0), amounts, self.usual)

    def outcomes(self, frame: pd.DataFrame, revenue: np.ndarray) -> np.ndarray:
        """Return (n,) revenues in usual rewards, capped where these are known for each entity."""
        outcome = revenue / self.usual_rewards(frame)
        return outcome if self.usual_column is None else np.minimum(outcome, config.MOST_USUAL_REWARDS)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return {
            "columns": list(self.columns),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "usual_column": self.usual_column,
            "usual": self.usual,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Preparation:
        """Read what `to_dict` wrote."""
        mean, scale = np.asarray(content["mean"]), np.asarray(content["scale"])
        return cls(tuple(content["columns"]), mean, scale, content["usual_column"], content["usual"])


def _logs(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    values = _numbers(frame, columns)
    return signed_log(np.where(np.isfinite(values), values, np.nan))


def _numbers(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ActionInputError(f"the data lack column {', '.join(missing)}, which the policy reads")
    values = np.empty((len(frame), len(columns)))
    for place, name in enumerate(columns):
        try:
            values[:, place] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise ActionInputError(f"column {name} is not numeric; give it as numbers") from None
    return values
