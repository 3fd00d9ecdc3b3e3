"""A rule as a model: one probability up to a threshold of a single column, another one beyond it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.blend import MODEL_FILE, float_matrix, sigmoid

KIND = "threshold"
FORMAT = 1
PRIOR_ROWS = 1.0  # of the common share, added to both sides: no side is ever 0 or 1


@dataclass(frozen=True)
class ThresholdModel:
    """A fitted rule; it has what `models_ml.core.blend.BlendModel` has of a model that serves.

    Attributes
    ----------
    features : tuple of one str
        The column.
    threshold : float
        Rows above it are `beyond`, the others (and those without a value) are not.
    base : float
        Log-odds of all rows together.
    up_to, beyond : float
        What either side adds to the log-odds.
    """

    features: tuple[str, ...]
    threshold: float
    base: float
    up_to: float
    beyond: float
    facts: dict[str, Any] = field(default_factory=dict)

    def with_facts(self, facts: dict[str, Any]) -> ThresholdModel:
        """Return the same rule with what a reader of the file wants to know."""
        return replace(self, facts=facts)

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the float32 (n, 1) matrix of `frame`.

        Raises
        ------
        ValueError
            When the column is not there.
        """
        if self.features[0] not in frame.columns:
            raise ValueError(f"the data lack column {self.features[0]}, which the rule needs")
        return float_matrix(frame, self.features)

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """Return the (n,) log-odds."""
        values, base = self.contributions(matrix)
        return values[:, 0] + base

    def probability(self, matrix: np.ndarray) -> np.ndarray:
        """Return the (n,) probabilities."""
        return sigmoid(self.margin(matrix))

    def contributions(self, matrix: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the (n, 1) contributions of the column and the base, which sum to the log-odds."""
        return np.where(matrix > self.threshold, self.beyond, self.up_to).astype(np.float64), self.base

    def save(self, folder: Path) -> None:
        """Write one plain file."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"kind": KIND, "format": FORMAT, **vars(self), "features": list(self.features)}
        (folder / MODEL_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ThresholdModel:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the file was written by another version of this format.
        """
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT or content.pop("kind") != KIND:
            raise ValueError(f"{MODEL_FILE} is not a rule of format {FORMAT}")
        return cls(**{**content, "features": tuple(content["features"])})


def fit_best(column: str, values: np.ndarray, label: np.ndarray, thresholds: Sequence[float]) -> ThresholdModel:
    """Return the rule over `thresholds` with the lowest Brier score; of equal ones the lowest threshold.

    Parameters
    ----------
    values, label : ndarray of shape (n,)
        Of `column`, NaN where missing; 0 or 1.

    Raises
    ------
    ValueError
        When there is no row, or no threshold.
    """
    if not len(label) or not len(thresholds):
        raise ValueError("a rule needs rows and at least one threshold")
    rules = [_fit(column, values, label, threshold) for threshold in sorted(thresholds)]
    matrix = values[:, None].astype(np.float32)
    return min(rules, key=lambda rule: float(np.mean((rule.probability(matrix) - label) ** 2)))


def _fit(column: str, values: np.ndarray, label: np.ndarray, threshold: float) -> ThresholdModel:
    beyond = values > threshold
    rate = (label.sum() + 0.5) / (len(label) + 1)
    sides = [(label[side].sum() + PRIOR_ROWS * rate) / (side.sum() + PRIOR_ROWS) for side in (~beyond, beyond)]
    base = float(_logit(rate))
    up_to, after = (float(_logit(share)) - base for share in sides)
    return ThresholdModel((column,), float(threshold), base, up_to, after)


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))
