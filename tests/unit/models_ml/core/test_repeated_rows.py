"""Rows on both sides of the split in time: copies are found, common patterns are not taken for copies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_ml.core.repeated_rows import repeated_rows

RANDOM = np.random.default_rng(3)
COLUMNS = ["amount", "visits", "source"]


def rows(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "amount": RANDOM.lognormal(3, 1, count),
            "visits": RANDOM.poisson(4, count),
            "source": RANDOM.choice(["web", "mail", None], count),
        }
    )


def test_copies_are_found_and_material() -> None:
    training, holdout = rows(500), rows(200)
    with_copies = pd.concat([training, holdout.head(20)], ignore_index=True)
    found = repeated_rows(with_copies, holdout, COLUMNS)
    assert np.flatnonzero(found.is_copy).tolist() == list(range(500, 520))
    assert found.holdout_share == 0.1
    assert found.is_material


def test_a_few_copies_are_told_and_kept() -> None:
    training, holdout = rows(500), rows(200)
    found = repeated_rows(pd.concat([training, holdout.head(2)], ignore_index=True), holdout, COLUMNS)
    assert found.is_copy.sum() == 2
    assert not found.is_material


def test_a_pattern_that_many_rows_share_is_no_copy() -> None:
    nothing_yet = pd.DataFrame({"amount": [0.0] * 50, "visits": [0] * 50, "source": [None] * 50})
    training, holdout = pd.concat([rows(500), nothing_yet]), pd.concat([rows(200), nothing_yet])
    assert not repeated_rows(training, holdout, COLUMNS).is_copy.any()


def test_missing_equals_missing_and_integers_equal_floats() -> None:
    training = pd.DataFrame({"amount": [1.5, np.nan], "visits": [3, 4], "source": ["web", None]})
    holdout = pd.DataFrame({"amount": [np.nan, 9.0], "visits": [4.0, np.nan], "source": [None, "web"]})
    assert repeated_rows(training, holdout, COLUMNS).is_copy.tolist() == [False, True]


def test_no_rows_or_no_columns_are_no_copies() -> None:
    assert repeated_rows(rows(5).head(0), rows(5), COLUMNS).holdout_share == 0
    assert not repeated_rows(rows(5), rows(5).head(0), COLUMNS).is_material
    assert repeated_rows(rows(5), rows(5), ["no_such_column"]).is_copy.sum() == 0
