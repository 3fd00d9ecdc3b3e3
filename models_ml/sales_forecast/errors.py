"""The error that bad input raises."""

from __future__ import annotations


class ForecastInputError(ValueError):
    """A mistake in the data or settings of a forecast that the caller can mend; the message says where and how."""
