"""Which new segment continues which old one, so that ids and names stay from run to run."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from models_ml.segments import config


def continued(new: np.ndarray, old: np.ndarray) -> dict[int, int]:
    """Return for places in `new` the place in `old` that it continues; who continues nobody is left out.

    The assignment has the least total distance, one to one; a pair that is too far apart (`config.SAME_WITHIN`) is none.

    Parameters
    ----------
    new, old : ndarray of shape (s, k) and (t, k)
        Centres in the same coordinates.
    """
    if len(new) == 1 or len(old) <= 1:  # "all customers" continues nothing but itself
        return {0: 0} if len(new) == len(old) == 1 else {}
    distance = np.linalg.norm(new[:, None, :] - old[None, :, :], axis=2)
    limit = config.SAME_WITHIN * _mean_distance(new)
    rows, columns = linear_sum_assignment(distance)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if distance[row, column] <= limit}


def _mean_distance(centres: np.ndarray) -> float:
    distance = np.linalg.norm(centres[:, None, :] - centres[None, :, :], axis=2)
    return float(distance[np.triu_indices(len(centres), 1)].mean())
