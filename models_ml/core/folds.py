"""Splits inside the training window: validation lies after its training labels in time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

CUSTOMER_FOLDS = 3


def validation_folds(
    as_of: pd.Series, entity_id: pd.Series, horizon_days: int, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return up to `count` (fit, validation) pairs of row masks, the latest validation cut-off first.

    A fold trains only on cut-offs whose label window was closed on the validation cut-off. With too few cut-offs for
    that, the folds hold out customers instead (all rows of a customer together).

    Parameters
    ----------
    as_of : Series of dates, length n
        Cut-off of each row.
    entity_id : Series of str, length n
    """
    days = pd.to_datetime(as_of)
    folds = []
    for cutoff in sorted(days.unique(), reverse=True):
        fit = (days + timedelta(days=horizon_days) <= cutoff).to_numpy()
        if fit.any():
            folds.append((fit, (days == cutoff).to_numpy()))
    if folds:
        return folds[:count]
    part = entity_part(entity_id, CUSTOMER_FOLDS)
    return [(part != number, part == number) for number in range(CUSTOMER_FOLDS)]


def entity_part(entity_id: pd.Series, parts: int) -> np.ndarray:
    """Return 0 to parts - 1 for each row, the same for every row of an entity and on every machine."""
    return (pd.util.hash_array(entity_id.astype(str).to_numpy(dtype=object)) % parts).astype(int)
