"""The error that wrong settings or decisions raise."""

from __future__ import annotations


class ActionInputError(ValueError):
    """A mistake in options, policies or decisions that the caller can mend; the message says where and how."""
