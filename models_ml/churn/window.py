"""How long a silence means that a customer is lost, where the company does not say it itself."""

from __future__ import annotations

from models_ml.churn.config import WINDOWS_DAYS


def propose(usual_gap_days: float | None) -> int:
    """Return the shortest of `config.WINDOWS_DAYS` that `usual_gap_days` fits into.

    Parameters
    ----------
    usual_gap_days : float or None
        The `config.GAP_QUANTILE` quantile of the days between two purchases of a customer; None (nobody has bought twice)
        and anything longer give the longest.
    """
    if usual_gap_days is None:
        return WINDOWS_DAYS[-1]
    return next((days for days in WINDOWS_DAYS if usual_gap_days <= days), WINDOWS_DAYS[-1])
