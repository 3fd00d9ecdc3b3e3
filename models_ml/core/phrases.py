"""Sentences about feature values, made once for each distinct value that is shown and then looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Unit = Literal["days", "count", "money", "percent", "number"]
SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True)
class Context:
    """A second feature whose value completes a sentence; nothing is added where it is missing."""

    feature: str
    unit: Unit
    many: str
    one: str | None = None


@dataclass(frozen=True)
class Phrase:
    """How one feature is said: {value} stands for the number.

    Parameters
    ----------
    unit : str
        How the number is rounded and written.
    many, one, zero : str
        The sentence in general, for exactly 1 and for exactly 0 (both default to `many`).
    missing : str
        The sentence where the value is unknown.
    context : Context, optional
        A clause about another feature.
    """

    unit: Unit
    many: str
    one: str | None = None
    zero: str | None = None
    missing: str = "Not known"
    context: Context | None = None


def shown_values(values: np.ndarray, unit: Unit) -> np.ndarray:
    """Return (n,) `values` as precisely as they are shown: whole days and percents, four digits of anything else."""
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    if unit in {"days", "count"}:
        return np.round(values)
    if unit == "percent":
        return np.round(100 * values)
    size = np.floor(np.log10(np.maximum(np.abs(np.nan_to_num(values)), 1e-9)))
    step = 10.0 ** (np.maximum(size, -1) - SIGNIFICANT_DIGITS + 1)
    return np.round(values / step) * step


def sentences(phrase: Phrase, values: np.ndarray, currency: str) -> np.ndarray:
    """Return the (n,) sentences of (n,) `values`, without the context."""
    return _by_distinct(shown_values(values, phrase.unit), lambda value: _sentence(phrase, value, currency))


def context_clauses(context: Context, values: np.ndarray, currency: str) -> np.ndarray:
    """Return the (n,) clauses that complete sentences, empty where the value is missing."""
    phrase = Phrase(context.unit, context.many, one=context.one, missing="")
    return sentences(phrase, values, currency)


def value_texts(phrase: Phrase, values: np.ndarray) -> np.ndarray:
    """Return the (n,) values as plain text (a share stays a share), None where missing."""
    factor = 100 if phrase.unit == "percent" else 1
    return _by_distinct(
        shown_values(values, phrase.unit), lambda value: None if np.isnan(value) else f"{value / factor:.10g}"
    )


def _by_distinct(values: np.ndarray, text: Callable[[float], str | None]) -> np.ndarray:
    distinct, place = np.unique(values, return_inverse=True)
    texts = np.empty(len(distinct), dtype=object)
    texts[:] = [text(value) for value in distinct]
    return texts[place]


def _sentence(phrase: Phrase, value: float, currency: str) -> str:
    if np.isnan(value):
        return phrase.missing
    if value == 0 and phrase.zero is not None:
        return phrase.zero
    if value == 1 and phrase.one is not None:
        return phrase.one
    return phrase.many.format(value=_number(value, phrase.unit, currency))


def _number(value: float, unit: Unit, currency: str) -> str:
    if unit == "money":
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
        return f"{text} {currency}".strip()
    if unit == "number":
        return f"{value:,.1f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,.0f}"
