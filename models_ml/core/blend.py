"""The model that serves: trees and a regression blended in log-odds, calibrated by one straight line.

Everything is added up in log-odds, so contributions stay exact:
logit(p) = slope x (w x trees + (1 - w) x regression) + intercept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.core.linear import LogLinear
from models_ml.core.shallow_trees import ShallowTrees

FORMAT = 1
MODEL_FILE = "model.json"
TREES_FILE = "trees.json"
CHUNK_ROWS = 16_384  # a chunk of every column stays in the processor's cache
# Beyond +-20 a probability differs from 0 or 1 by 2e-9, and further out logit(p) cannot be had back from p to 1e-5.
MARGIN_LIMIT = 20.0


@dataclass(frozen=True)
class BlendModel:
    """A fitted model.

    Parameters
    ----------
    features : tuple of str
        Columns in the order of the matrix that the parts expect.
    trees : ShallowTrees or None
        None in a baseline.
    linear : LogLinear or None
        Reads its own subset of `features`.
    tree_weight : float
        Share w of the trees, 0 to 1.
    slope, intercept : float
        The calibration line in log-odds.
    facts : dict
        What a reader of the file wants to know (cut-offs, versions, method); plain JSON.
    """

    features: tuple[str, ...]
    trees: ShallowTrees | None
    linear: LogLinear | None
    tree_weight: float
    slope: float = 1.0
    intercept: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
    threads: int = 2

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the float32 (n, k) matrix of `frame`, infinite values as missing.

        Raises
        ------
        ValueError
            When a column that the model was trained on is not there.
        """
        missing = [name for name in self.features if name not in frame.columns]
        if missing:
            raise ValueError(f"the data lack column {', '.join(missing)}, which the model was trained on")
        return float_matrix(frame, self.features)

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """Return the (n,) calibrated log-odds."""
        result = np.empty(len(matrix))

        def work(rows: slice, columns: np.ndarray) -> None:
            result[rows] = self._margin(columns)

        self._each_chunk(matrix, work)
        return np.clip(result, -MARGIN_LIMIT, MARGIN_LIMIT, out=result)

    def probability(self, matrix: np.ndarray) -> np.ndarray:
        """Return the (n,) calibrated probabilities."""
        return sigmoid(self.margin(matrix))

    def contributions(self, matrix: np.ndarray) -> tuple[np.ndarray, float]:
        """Return what each feature adds to the log-odds.

        Returns
        -------
        values : ndarray of shape (n, k)
        base : float
            `base + values.sum(axis=1)` is `margin(matrix)`, and so the logit of `probability(matrix)`.
        """
        result, base = np.zeros(matrix.shape), self.base

        def work(rows: slice, columns: np.ndarray) -> None:
            values = self._contributions(columns)
            margin = base + values.sum(axis=0)
            beyond = np.abs(margin) > MARGIN_LIMIT
            if beyond.any():  # a clipped row still has to add up: its parts shrink alike
                values[:, beyond] *= (np.sign(margin[beyond]) * MARGIN_LIMIT - base) / (margin[beyond] - base)
            result[rows] = values.T

        self._each_chunk(matrix, work)
        return result, base

    @property
    def base(self) -> float:
        """Log-odds before anything is known of a row."""
        base = 0.0
        if self.trees is not None:
            base += self.tree_weight * self.trees.base
        if self.linear is not None:
            base += (1 - self.tree_weight) * self.linear.intercept
        return self.slope * base + self.intercept

    def save(self, folder: Path) -> None:
        """Write plain files: JSON, and XGBoost's own format for the trees. Nothing in them is executed on reading."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "features": list(self.features),
            "tree_weight": self.tree_weight,
            "slope": self.slope,
            "intercept": self.intercept,
            "linear": self.linear.to_dict() if self.linear else None,
            "trees": TREES_FILE if self.trees is not None else None,
            "facts": self.facts,
        }
        (folder / MODEL_FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        if self.trees is not None:
            (folder / TREES_FILE).write_bytes(self.trees.native)

    @classmethod
    def load(cls, folder: Path, threads: int = 2) -> BlendModel:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            When the files were written by another version of this format.
        """
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"model files of format {content['format']}; this version reads format {FORMAT}")
        return cls(
            features=tuple(content["features"]),
            trees=ShallowTrees.from_native((folder / content["trees"]).read_bytes()) if content["trees"] else None,
            linear=LogLinear.from_dict(content["linear"]) if content["linear"] else None,
            tree_weight=content["tree_weight"],
            slope=content["slope"],
            intercept=content["intercept"],
            facts=content["facts"],
            threads=threads,
        )

    def _margin(self, columns: np.ndarray) -> np.ndarray:
        """Return the (n,) log-odds of (k, n) `columns`, before the limit."""
        total = np.zeros(columns.shape[1])
        if self.trees is not None:
            total += self.tree_weight * self.trees.margin(columns)
        if self.linear is not None:
            total += (1 - self.tree_weight) * self.linear.margin(columns[self._linear_places()].T)
        return self.slope * total + self.intercept

    def _contributions(self, columns: np.ndarray) -> np.ndarray:
        """Return the (k, n) contributions of (k, n) `columns`, before the limit."""
        values = np.zeros(columns.shape)
        if self.trees is not None:
            values += self.slope * self.tree_weight * self.trees.contributions(columns)
        if self.linear is not None:
            places = self._linear_places()
            weight = self.slope * (1 - self.tree_weight)
            values[places] += weight * self.linear.contributions(columns[places].T).T
        return values

    def _linear_places(self) -> list[int]:
        assert self.linear is not None
        return [self.features.index(name) for name in self.linear.columns]

    def _each_chunk(self, matrix: np.ndarray, work: Callable[[slice, np.ndarray], None]) -> None:
        """Call `work` with each range of rows and its (k, rows) values; numpy lets the threads run side by side."""

        def one(start: int) -> None:
            rows = slice(start, min(start + CHUNK_ROWS, len(matrix)))
            work(rows, np.ascontiguousarray(matrix[rows].T, dtype=np.float32))

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(one, range(0, len(matrix), CHUNK_ROWS)))


def float_matrix(frame: pd.DataFrame, features: Sequence[str]) -> np.ndarray:
    """Return the float32 (n, k) matrix of `features`, infinite values as missing; each column is contiguous."""
    columns = np.empty((len(features), len(frame)), dtype=np.float32)
    for place, name in enumerate(features):
        columns[place] = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    np.copyto(columns, np.nan, where=np.isinf(columns))
    return columns.T


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-margin))."""
    return 1.0 / (1.0 + np.exp(-margin))
