"""Find columns that know the answer: a screen of any frame, column by column, on training rows only.

Two kinds of evidence count. *When* a value is known: what people declare (`known_at`), and the times of its changes. And
*how much* one column by itself says about the label, which needs no times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from models_ml.core import association
from models_ml.core.folds import entity_part

FOLDS = 3
MAX_ROWS = 20_000
KNOWN_AT = ("creation", "contact", "outcome")

KnownAt = Literal["creation", "contact", "outcome"]
Check = Literal[
    "known_at",
    "later_than_as_of",
    "changed_after_outcome",
    "missing_values",
    "correlation",
    "cramers_v",
    "single_column_auc",
]


@dataclass(frozen=True)
class LeakageLimits:
    """From where on a column is suspicious, and from where on it is left out.

    Parameters
    ----------
    max_association : float
        Of correlation, Cramer's V and the correlation of "is missing" with the label: above it a column is left out.
    suspicious_auc, impossible_auc : float
        Of a small model on the column alone, on entities that it has not seen: flagged above the first, left out above the
        second.
    max_later_share : float
        Share of values dated later than as_of: any is flagged (clocks go wrong), more than this is left out.
    suspicious_changed_share, max_changed_share : float
        Share of values that were filled or changed at or after the outcome: flagged above the first, left out above the
        second. What a value was before its last change is not known, so honest old values do not save such a column.
    """

    max_association: float = 0.95
    suspicious_auc: float = 0.90
    impossible_auc: float = 0.95
    max_later_share: float = 0.01
    suspicious_changed_share: float = 0.05
    max_changed_share: float = 0.5


@dataclass(frozen=True)
class Times:
    """Which columns of a frame say when something was known.

    Parameters
    ----------
    as_of : str, optional
        Column with the day for which a row was cut; all of that day (UTC) is known.
    outcome_at : str, optional
        Column with the time at which the label was decided; missing where it never was.
    changed_at : mapping
        For an attribute, the column with the time at which it was last filled or changed.
    ages : tuple of str
        Columns that count days since an event: below zero, the event lies after as_of.
    planned : tuple of str
        Columns with dates that may lie in the future (promised, expected, due).
    """

    as_of: str | None = None
    outcome_at: str | None = None
    changed_at: Mapping[str, str] = field(default_factory=dict)
    ages: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that these times are read from."""
        found = (*([self.outcome_at] if self.outcome_at else []), *self.changed_at.values())
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Suspicion:
    """One column that is too good to be true, or nearly so; `value` is the figure that was compared with a limit."""

    column: str
    check: Check
    value: float
    is_dropped: bool


def screen(
    frame: pd.DataFrame,
    label: np.ndarray,
    columns: Sequence[str],
    *,
    entity: str | None = None,
    times: Times | None = None,
    known_at: Mapping[str, KnownAt] | None = None,
    scored_at: KnownAt = "contact",
    limits: LeakageLimits | None = None,
) -> list[Suspicion]:
    """Return the suspicious columns, each with its strongest finding, in the order of `columns`.

    Parameters
    ----------
    frame : DataFrame of n rows
        Numeric, boolean, date and category (or text) columns; missing values are missing. From 20,000 rows on a fixed
        sample is looked at, the same whatever the order of the rows.
    label : ndarray of shape (n,)
        0 or 1 (of an amount: whether there is one). With one class only what people declared and times are looked at.
    columns : sequence of str
        Those of `frame` that a model would read.
    entity : str, optional
        Column by which rows belong together: a column is judged on entities that the small model has not seen.
    times : Times, optional
        Columns that say when values were known.
    known_at : mapping, optional
        When attributes are known, as people declare it; what is known later than `scored_at` is left out.
    scored_at : str
        Until when attributes are known when the model is asked: ``"creation"`` or ``"contact"``.
    """
    limits, times, known_at = limits or LeakageLimits(), times or Times(), known_at or {}
    label = (np.asarray(label, dtype=np.float64) > 0).astype(np.float64)
    places = sample(frame, entity, times.as_of)
    rows, label = frame.iloc[places], label[places]
    part = entity_part(rows[entity], FOLDS) if entity else np.arange(len(rows)) % FOLDS
    found = []
    for name in columns:
        suspicion = (
            _declared(name, known_at, scored_at)
            or _later_than_as_of(rows, name, times, limits)
            or _changed_after_outcome(rows, name, times, limits)
        )
        if suspicion is None or not suspicion.is_dropped:
            suspicion = _alone(rows[name], label, part, limits) or suspicion
        if suspicion:
            found.append(suspicion)
    return found


def sample(frame: pd.DataFrame, entity: str | None, as_of: str | None, limit: int = MAX_ROWS) -> np.ndarray:
    """Return the places of at most `limit` rows: the same rows on every machine and, with an entity, in any order."""
    if len(frame) <= limit:
        return np.arange(len(frame))
    if entity is None:
        return np.linspace(0, len(frame) - 1, limit).astype(int)
    keys = frame[[name for name in (entity, as_of) if name]].astype(str)
    numbers = pd.util.hash_pandas_object(keys, index=False).to_numpy()
    return np.sort(np.argsort(numbers, kind="stable")[:limit])


def _declared(name: str, known_at: Mapping[str, KnownAt], scored_at: KnownAt) -> Suspicion | None:
    known = known_at.get(name, "creation")
    if KNOWN_AT.index(known) <= KNOWN_AT.index(scored_at):
        return None
    return Suspicion(name, "known_at", float(KNOWN_AT.index(known)), True)


def _later_than_as_of(rows: pd.DataFrame, name: str, times: Times, limits: LeakageLimits) -> Suspicion | None:
    filled = rows[name].notna().to_numpy()
    if name in times.ages:
        is_later = (rows[name].to_numpy(dtype=np.float64, na_value=np.nan) < 0) & filled
    elif times.as_of is None:
        return None
    else:
        dates = times.changed_at.get(name, name if _is_date(rows[name]) and name not in times.planned else None)
        if dates is None or dates not in rows.columns:
            return None
        end_of_day = _utc(rows[times.as_of]) + pd.Timedelta(days=1)
        is_later = (_utc(rows[dates]) >= end_of_day).to_numpy() & filled
    share = float(is_later.sum() / max(filled.sum(), 1))
    return Suspicion(name, "later_than_as_of", share, share > limits.max_later_share) if share > 0 else None


def _changed_after_outcome(rows: pd.DataFrame, name: str, times: Times, limits: LeakageLimits) -> Suspicion | None:
    changed = times.changed_at.get(name)
    if changed is None or times.outcome_at is None or not {changed, times.outcome_at} <= set(rows.columns):
        return None
    changed_at, outcome_at = _utc(rows[changed]), _utc(rows[times.outcome_at])
    is_judged = (rows[name].notna() & changed_at.notna() & outcome_at.notna()).to_numpy()
    if not is_judged.any():
        return None
    share = float((changed_at >= outcome_at).to_numpy()[is_judged].mean())
    if share <= limits.suspicious_changed_share:
        return None
    return Suspicion(name, "changed_after_outcome", share, share > limits.max_changed_share)


def _alone(values: pd.Series, label: np.ndarray, part: np.ndarray, limits: LeakageLimits) -> Suspicion | None:
    """Return what the column by itself says about the label, when that is suspiciously much."""
    if len(label) == 0 or label.min() == label.max():
        return None
    name = str(values.name)
    missing = association.correlation(values.isna().to_numpy(dtype=np.float64), label)
    if missing > limits.max_association:
        return Suspicion(name, "missing_values", missing, True)
    if values.isna().all():
        return None
    if pd.api.types.is_numeric_dtype(values) or _is_date(values):
        numbers = _numbers(values)
        together, check = association.correlation(association.filled(numbers), label), "correlation"
        auc = association.numeric_auc(numbers, label, part, FOLDS)
    else:
        codes = association.codes(values)
        together, check = association.cramers_v(codes, label), "cramers_v"
        auc = association.category_auc(codes, label, part, FOLDS)
    if together > limits.max_association:
        return Suspicion(name, check, together, True)  # type: ignore[arg-type]
    if auc > limits.suspicious_auc:
        return Suspicion(name, "single_column_auc", auc, auc > limits.impossible_auc)
    return None


def _numbers(values: pd.Series) -> np.ndarray:
    if _is_date(values):
        days = (_utc(values) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
        return days.to_numpy(dtype=np.float64)
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isinf(numbers), np.nan, numbers)


def _is_date(values: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.infer_dtype(values, skipna=True) in {
        "date",
        "datetime",
    }


def _utc(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, utc=True)
