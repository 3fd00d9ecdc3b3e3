"""Scoring and exact contributions of shallow boosted trees with numpy alone.

A tree of depth 3 asks at most seven questions, so a row is one of at most 128 patterns of answers. For each pattern the
leaf value and the exact TreeSHAP contributions are worked out once; a row is then seven comparisons and a look-up for
each tree. Beside XGBoost's own functions, which the tests hold this to, contributions take a twentieth of the time and
scoring no longer, and a scoring task need not import xgboost (with all that it imports, more than a second).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_SPLITS = 8


@dataclass(frozen=True)
class Tree:
    """One tree as a table over its patterns of answers.

    Bit i of a pattern (the first split is the highest bit) answers: is the value at least the threshold - or, where
    `asks_below`, below it. The form is chosen so that a missing value gives the answer of the split's default side.
    """

    columns: np.ndarray  # (m,) place of the split's feature
    thresholds: np.ndarray  # (m,) float32
    asks_below: np.ndarray  # (m,) bool
    values: np.ndarray  # (2^m,)
    shap_columns: np.ndarray  # (d,) distinct features
    shap_values: np.ndarray  # (d, 2^m)
    expected: float

    def patterns(self, columns: np.ndarray) -> np.ndarray:
        """Return the (n,) pattern of each row of (k, n) `columns`."""
        pattern = np.zeros(columns.shape[1], dtype=np.uint8)
        answer = np.empty(columns.shape[1], dtype=bool)
        for column, threshold, below in zip(self.columns, self.thresholds, self.asks_below, strict=True):
            (np.less if below else np.greater_equal)(columns[column], threshold, out=answer)
            np.add(pattern, pattern, out=pattern)
            np.add(pattern, answer.view(np.uint8), out=pattern)
        return pattern.astype(np.intp)


@dataclass(frozen=True)
class ShallowTrees:
    """Trees whose sum, with `bias`, is the log-odds."""

    trees: tuple[Tree, ...]
    bias: float
    native: bytes  # XGBoost's own JSON, to save and to read elsewhere

    @property
    def base(self) -> float:
        """Log-odds that contributions start from: the mean over the training rows."""
        return self.bias + sum(tree.expected for tree in self.trees)

    @classmethod
    def from_native(cls, native: bytes) -> ShallowTrees:
        """Read XGBoost's JSON model format (binary logistic, one output).

        Raises
        ------
        ValueError
            When a tree is too deep for a table.
        """
        learner = json.loads(native)["learner"]
        rate = float(learner["learner_model_param"]["base_score"].strip("[]"))
        trees = learner["gradient_booster"]["model"]["trees"]
        return cls(tuple(_tree(content) for content in trees), math.log(rate / (1 - rate)), native)

    def margin(self, columns: np.ndarray) -> np.ndarray:
        """Return the (n,) log-odds of float32 `columns` of shape (k, n)."""
        total = np.full(columns.shape[1], self.bias)
        for tree in self.trees:
            total += tree.values.take(tree.patterns(columns))
        return total

    def contributions(self, columns: np.ndarray) -> np.ndarray:
        """Return the exact (k, n) contributions of (k, n) `columns`; with `base` each row sums to its `margin`."""
        result = np.zeros(columns.shape)
        for tree in self.trees:
            pattern = tree.patterns(columns)
            for column, values in zip(tree.shap_columns, tree.shap_values, strict=True):
                result[column] += values.take(pattern)
        return result


def _tree(content: dict[str, Any]) -> Tree:
    left = content["left_children"]
    splits = [node for node, child in enumerate(left) if child >= 0]
    if len(splits) > MAX_SPLITS:
        raise ValueError(f"a tree with {len(splits)} splits is too large for a table (at most {MAX_SPLITS})")
    asks_below = np.array([not content["default_left"][node] for node in splits], dtype=bool)
    columns = np.array([content["split_indices"][node] for node in splits], dtype=int)
    distinct = sorted(set(columns.tolist()))
    pattern = np.arange(2 ** len(splits))
    answers = (pattern[None, :] >> np.arange(len(splits))[::-1, None]) & 1 == 1  # (m, 2^m)
    goes_left = dict(zip(splits, np.where(asks_below[:, None], answers, ~answers), strict=True))
    subset = np.arange(2 ** len(distinct))
    known = {column: (subset >> place) & 1 == 1 for place, column in enumerate(distinct)}
    worth = _worth(content, 0, goes_left, known, (len(subset), len(pattern)))
    return Tree(
        columns=columns,
        thresholds=np.array([content["split_conditions"][node] for node in splits], dtype=np.float32),
        asks_below=asks_below,
        values=np.ascontiguousarray(worth[-1]),
        shap_columns=np.array(distinct, dtype=int),
        shap_values=shapley_weights(len(distinct)) @ worth,
        expected=float(worth[0, 0]),
    )


def _worth(
    content: dict[str, Any],
    node: int,
    goes_left: dict[int, np.ndarray],
    known: dict[int, np.ndarray],
    shape: tuple[int, int],
) -> np.ndarray:
    """Return the (2^d, 2^m) value of the tree for each set of known features and each pattern.

    Where a split's feature is not known, both sides count by the training weight that went there (Lundberg et al. 2020,
    path-dependent TreeSHAP).
    """
    left, right = content["left_children"][node], content["right_children"][node]
    if left < 0:
        return np.full(shape, float(np.float32(content["split_conditions"][node])))
    sides = [_worth(content, child, goes_left, known, shape) for child in (left, right)]
    share = content["sum_hessian"][left] / content["sum_hessian"][node]
    average = share * sides[0] + (1 - share) * sides[1]
    answered = np.where(goes_left[node][None, :], sides[0], sides[1])
    return np.where(known[content["split_indices"][node]][:, None], answered, average)


def shapley_weights(count: int) -> np.ndarray:
    """Return the (d, 2^d) weights that turn the worth of each subset of `count` features into Shapley values."""
    subset = np.arange(2**count)
    size = np.array([int(number).bit_count() for number in subset])
    weights = np.zeros((count, 2**count))
    for place in range(count):
        has = (subset >> place) & 1 == 1
        others = np.where(has, size - 1, size)
        share = np.array([math.factorial(s) * math.factorial(count - s - 1) for s in others]) / math.factorial(count)
        weights[place] = np.where(has, share, -share)
    return weights
