"""Rows that lie on both sides of the split in time: what was learnt by heart would pass for foresight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# More rows alike than this are a common pattern (nothing happened yet), not copies of one row.
MAX_COPIES = 10
# Of the holdout's rows: below it, copies cannot move a metric, and dropping rows would only cost training data.
MATERIAL_SHARE = 0.01


@dataclass(frozen=True)
class RepeatedRows:
    """Training rows that are also in the holdout.

    Parameters
    ----------
    is_copy : ndarray of shape (n,), bool
        Of the training rows.
    holdout_share : float
        Share of the holdout's rows that training has too.
    """

    is_copy: np.ndarray
    holdout_share: float

    @property
    def is_material(self) -> bool:
        """Whether there are so many that training must do without them."""
        return self.holdout_share > MATERIAL_SHARE


def repeated_rows(training: pd.DataFrame, holdout: pd.DataFrame, columns: Sequence[str]) -> RepeatedRows:
    """Find training rows whose `columns` are all equal to those of a holdout row (missing equals missing)."""
    names = [name for name in columns if name in training.columns and name in holdout.columns]
    if not names or training.empty or holdout.empty:
        return RepeatedRows(np.zeros(len(training), dtype=bool), 0.0)
    ours, theirs = _hashes(training[names]), _hashes(holdout[names])
    known, place, count = np.unique(np.concatenate([ours, theirs]), return_inverse=True, return_counts=True)
    place_ours, place_theirs = place[: len(ours)], place[len(ours) :]
    in_training, in_holdout = np.zeros(len(known), dtype=bool), np.zeros(len(known), dtype=bool)
    in_training[place_ours], in_holdout[place_theirs] = True, True
    is_shared = in_training & in_holdout & (count <= MAX_COPIES)
    return RepeatedRows(is_shared[place_ours], float(is_shared[place_theirs].mean()))


def _hashes(frame: pd.DataFrame) -> np.ndarray:
    # as one type in both frames: a column without a missing value may be integer here and float there
    alike = {
        name: frame[name].astype(float) if pd.api.types.is_numeric_dtype(frame[name]) else frame[name].astype(str)
        for name in frame
    }
    return pd.util.hash_pandas_object(pd.DataFrame(alike), index=False).to_numpy()
