"""A planted leak is dropped and named; a strong honest column is kept."""

from __future__ import annotations

import numpy as np
import pytest

from models_ml.core.leakage import screen

ROWS = 3000
RANDOM = np.random.default_rng(6)
LABEL = (RANDOM.uniform(size=ROWS) < 0.3).astype(float)
PART = np.arange(ROWS) % 3
NOISE = RANDOM.normal(size=ROWS)


def suspicions(column: np.ndarray) -> list[tuple[str, str, bool]]:
    matrix = np.column_stack([NOISE, column]).astype(np.float32)
    return [(item.column, item.check, item.is_dropped) for item in screen(matrix, LABEL, PART, ["noise", "column"])]


LEAKS = {
    "the label itself": (LABEL, "correlation"),
    "filled only when bought": (np.where(LABEL == 1, NOISE, np.nan), "missing_values"),
    "nonzero only when bought": (LABEL * RANDOM.lognormal(3, 2, ROWS), "single_column_auc"),
    "a hump that only a tree sees": (
        np.where(LABEL == 1, 0.5 * NOISE, np.sign(NOISE) * (4 + NOISE**2)),
        "single_column_auc",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_dropped(name: str) -> None:
    column, check = LEAKS[name]
    assert suspicions(column) == [("column", check, True)]


def test_a_strong_honest_column_is_kept() -> None:
    assert suspicions(LABEL * 1.5 + NOISE) == []


def test_between_the_limits_it_is_flagged_and_kept() -> None:
    assert suspicions(LABEL * 2.05 + NOISE) == [("column", "single_column_auc", False)]


def test_constant_and_empty_columns_are_no_leak() -> None:
    assert suspicions(np.zeros(ROWS)) == []
    assert suspicions(np.full(ROWS, np.nan)) == []
