"""The tables ``crm_ai.drift`` (every measurement) and ``crm_ai.model_alarms`` (what went beyond its limit, while it does)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.company_settings import Monitoring
from crm_agents.monitoring.limits import Judged, Measurement

if TYPE_CHECKING:
    import psycopg

# What a reader compares: changes as a share, indices as they are known.
LOGARITHMS = ("volume", "label")
INDICES = ("distribution", "input", "score")
LABELS = {"predicted": "differs from what was predicted", "rate": "differs in its rate from the months before"}


@dataclass(frozen=True)
class Alarm:
    """Something that went beyond its limit, and which models learn from it."""

    kind: str
    subject: str
    name: str
    opened_as_of: date
    models: tuple[str, ...]
    message: str


def shown(item: Measurement, number: float) -> float:
    """Return a statistic as people read it: a share of change, a population stability index."""
    if item.kind in LOGARITHMS:
        return math.expm1(number)
    return number**2 if item.kind in INDICES else number


def sentence(judged: Judged) -> str:
    """Say in a sentence what moved, by how much, and how much would be usual."""
    item = judged.measurement
    value, limit = shown(item, judged.moved), shown(item, judged.limit)
    rows = f"{item.window_rows:,} rows"
    sentences = {
        "volume": f"{item.subject}: {value:+.0%} rows against what is usual for these weekdays and this season "
        f"({rows}; limit {limit:.0%})",
        "fill": f"{item.subject}.{item.name}: filled share moved by {100 * value:+.1f} points "
        f"({rows}; limit {100 * limit:.1f})",
        "distribution": f"{item.subject}.{item.name}: values are distributed differently, population stability index "
        f"{value:.3f} ({rows}; limit {limit:.3f})",
        "input": f"{item.subject}: input {item.name} differs from the training days, population stability index {value:.3f} "
        f"({rows}; limit {limit:.3f})",
        "score": f"{item.subject}: scores are distributed differently than on the training days, population stability index "
        f"{value:.3f} ({rows}; limit {limit:.3f})",
        "label": f"{item.subject}: what came true {LABELS.get(item.name, item.name)} by {value:+.0%}, season considered "
        f"({rows}; limit {limit:.0%})",
    }
    return sentences[item.kind] + "."


def record(
    judged: Sequence[Judged], *, as_of: date, run_id: str, models: Sequence[str], settings: Monitoring
) -> list[Alarm]:
    """Write every measurement, and open, keep or close alarms; return those that this run opened.

    An alarm stays one row however long it lasts, and closes when its measurement has kept within the limit for a whole
    window. A day that is older than the newest one measured is written down but raises and closes nothing; a repeated run
    gives the same rows and opens nothing twice.

    Parameters
    ----------
    models : sequence of str
        Models that learn from arriving rows; an alarm about one model concerns that one alone.
    """
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('crm_agents.monitoring'))")
        row = cursor.execute("select max(as_of) from crm_ai.drift").fetchone()
        is_newest = not row or row[0] is None or row[0] <= as_of
        cursor.execute("delete from crm_ai.drift where as_of = %s", (as_of,))
        cursor.executemany(
            "insert into crm_ai.drift (as_of, kind, subject, name, value, usual, limit_value, window_rows, reference_rows, "
            "is_beyond, detail, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [_drift_row(item, as_of, run_id) for item in judged],
        )
        if not is_newest:
            return []
        for item in judged:
            if item.is_beyond:
                _open_or_keep(cursor, item, as_of, run_id, models)
        cursor.execute(
            "update crm_ai.model_alarms set closed_as_of = %s where closed_as_of is null and last_as_of <= %s",
            (as_of, as_of - timedelta(days=settings.window_days)),
        )
    return [alarm for alarm in _alarms("run_id = %s", run_id) if alarm.opened_as_of == as_of]


def is_measured(as_of: date) -> bool:
    """Tell whether `as_of` has been measured."""
    with postgres.connect() as crm:
        row = crm.execute("select exists (select from crm_ai.drift where as_of = %s)", (as_of,)).fetchone()
    return bool(row and row[0])


def untold() -> list[Alarm]:
    """Return the alarms that nobody has been told of yet, oldest first."""
    return _alarms("notified_at is null")


def mark_told(alarms: Sequence[Alarm]) -> None:
    """Remember that people were told of these alarms."""
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            "update crm_ai.model_alarms set notified_at = clock_timestamp() "
            "where kind = %s and subject = %s and name = %s and opened_as_of = %s",
            [(alarm.kind, alarm.subject, alarm.name, alarm.opened_as_of) for alarm in alarms],
        )


def _drift_row(judged: Judged, as_of: date, run_id: str) -> tuple:
    item = judged.measurement
    usual = None if item.usual is None else shown(item, item.usual)
    return (
        *(as_of, item.kind, item.subject, item.name, shown(item, judged.moved), usual, shown(item, judged.limit)),
        *(item.window_rows, item.reference_rows, judged.is_beyond, sentence(judged), run_id),
    )


def _alarms(condition: str, *values: str) -> list[Alarm]:
    with postgres.connect() as crm:
        rows = crm.execute(
            "select kind, subject, name, opened_as_of, models, message from crm_ai.model_alarms "
            f"where {condition} order by opened_as_of, kind, subject, name",
            values,
        ).fetchall()
    return [
        Alarm(kind, subject, name, opened, tuple(models), text) for kind, subject, name, opened, models, text in rows
    ]


def _open_or_keep(cursor: psycopg.Cursor, judged: Judged, as_of: date, run_id: str, models: Sequence[str]) -> None:
    """Keep the open alarm of this measurement, or open one."""
    item = judged.measurement
    key = (item.kind, item.subject, item.name)
    value, limit = shown(item, judged.moved), shown(item, judged.limit)
    kept = cursor.execute(
        "update crm_ai.model_alarms set last_as_of = %s, value = %s, limit_value = %s "
        "where kind = %s and subject = %s and name = %s and closed_as_of is null",
        (as_of, value, limit, *key),
    )
    if kept.rowcount:
        return
    concerned = (item.subject,) if item.kind in ("input", "score", "label") else tuple(models)
    cursor.execute(
        "insert into crm_ai.model_alarms (kind, subject, name, opened_as_of, last_as_of, value, limit_value, models, message, "
        "run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (kind, subject, name, opened_as_of) "
        "do update set closed_as_of = null, last_as_of = excluded.last_as_of",
        (*key, as_of, as_of, value, limit, list(concerned), sentence(judged), run_id),
    )
