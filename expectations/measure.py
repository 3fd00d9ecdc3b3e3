"""Counts, in one SQL pass per stage, what breaks the rules: Great Expectations judges the counts, not the rows.

On 20 million rows that is the difference between seconds and minutes (docs/quality.md has the figures). The caller's
connection is a DuckDB connection that has the lake attached as ``lake``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations.keys import count_duplicates, repeated_keys
from expectations.rules import (
    KEY_UNIQUE,
    ColumnsRule,
    KeyRule,
    NoColumnsRule,
    RowRule,
    Rule,
    Suite,
    TotalRule,
    VolumeRule,
)
from expectations.scope import Columns, Scope, is_of, newest_batches, read_columns

if TYPE_CHECKING:
    import duckdb

EXAMPLES = 5


@dataclass(frozen=True)
class Measurement:
    """What one rule found.

    `value` is what Great Expectations judges; `unexpected` of `rows` rows break the rule (None where rows are not what
    it counts); `observed` says it in words, without a value of any column; `sql` lists the rows that break it.
    """

    rule: Rule
    value: float
    rows: int
    unexpected: int | None
    observed: str
    sql: str = ""


Measured = dict[Suite, list[Measurement]]


def measure(connection: duckdb.DuckDBPyConnection, suites: Sequence[Suite], scope: Scope) -> Measured:
    """Measure every rule of the suites whose table is there and, where the scope is a batch, has rows in it."""
    catalog = read_columns(connection, {suite.schema for suite in suites})
    present = [suite for suite in suites if (suite.schema, suite.table) in catalog]
    if scope.after_batch is not None:
        newest = newest_batches(connection)
        present = [suite for suite in present if newest.get(suite.table, 0) > scope.after_batch]
    columns = {suite: catalog[suite.schema, suite.table] for suite in present}
    sources = {suite: scope.source(suite, columns[suite]) for suite in present}
    judged = {suite: [rule for rule in suite.all_rules() if scope.can_run(rule, columns[suite])] for suite in present}
    counts = _count(connection, judged, sources, scope)
    arrived = [suite for suite in present if counts[suite][0] or scope.after_batch is None]
    duplicates = count_duplicates(connection, [suite for suite in arrived if _has_key(judged[suite])], sources)
    measured: Measured = {}
    for suite in arrived:
        rows, unexpected = counts[suite]
        unexpected = {KEY_UNIQUE: duplicates.get(suite, 0), **unexpected}
        found = (
            _measurement(rule, suite, rows, unexpected, columns[suite], sources[suite], scope) for rule in judged[suite]
        )
        measured[suite] = [measurement for measurement in found if measurement]
    return measured


def examples(connection: duckdb.DuckDBPyConnection, suite: Suite, measurement: Measurement) -> list[str]:
    """Return up to five keys of rows that break a rule; a key that may be a mail address is withheld."""
    if not measurement.sql or not suite.key:
        return []
    label = " || '/' || ".join(f"coalesce({column}::varchar, 'null')" for column in suite.key)
    found = connection.execute(
        f"select distinct {label} as k from ({measurement.sql}) order by k limit {EXAMPLES}"
    ).fetchall()
    return ["(withheld)" if "@" in key else key or "(blank)" for (key,) in found]


def _has_key(rules: list[Rule]) -> bool:
    return any(isinstance(rule, KeyRule) for rule in rules)


def _count(
    connection: duckdb.DuckDBPyConnection,
    judged: Mapping[Suite, list[Rule]],
    sources: Mapping[Suite, str],
    scope: Scope,
) -> dict[Suite, tuple[int, dict[str, int]]]:
    """Return for each suite its rows and, by rule, how many rows break it: one statement, one scan of each table."""
    counted = {
        suite: [rule for rule in rules if isinstance(rule, RowRule | TotalRule)] for suite, rules in judged.items()
    }
    selects = [
        f"select {number} as suite, count(*) as n, "
        f"[{', '.join(_aggregate(rule, scope) for rule in rules)}]::bigint[] as unexpected from {sources[suite]}"
        for number, (suite, rules) in enumerate(counted.items())
    ]
    if not selects:
        return {}
    found = {
        number: (n, unexpected) for number, n, unexpected in connection.execute(" union all ".join(selects)).fetchall()
    }
    return {
        suite: (found[number][0], {rule.name: count for rule, count in zip(rules, found[number][1], strict=True)})
        for number, (suite, rules) in enumerate(counted.items())
    }


def _aggregate(rule: RowRule | TotalRule, scope: Scope) -> str:
    if isinstance(rule, TotalRule):
        return f"({scope.bind(rule.unexpected)})"
    return f"count(*) filter (where {scope.bind(rule.unexpected)})"


def _measurement(
    rule: Rule, suite: Suite, rows: int, unexpected: Mapping[str, int], columns: Columns, source: str, scope: Scope
) -> Measurement | None:
    count = unexpected.get(rule.name, 0)
    match rule:
        case RowRule() | KeyRule():
            share = count / max(rows, 1)
            observed = f"{count:,} of {rows:,} rows" + (f" ({100 * share:.2f} %)" if count else "")
            return Measurement(rule, share, rows, count, observed, _listing(rule, suite, source, scope))
        case TotalRule():
            return Measurement(rule, count, rows, count, f"{count:,} {rule.unit}")
        case ColumnsRule():
            wrong = _wrong_columns(suite, columns)
            return Measurement(rule, len(wrong), rows, None, "; ".join(wrong) or "every column")
        case NoColumnsRule():
            return _forbidden(rule, rows, columns)
        case VolumeRule():
            return _volume(rule, suite, rows, scope)
    raise TypeError(f"no measure for {type(rule).__name__}")


def _listing(rule: RowRule | KeyRule, suite: Suite, source: str, scope: Scope) -> str:
    if isinstance(rule, KeyRule):
        return repeated_keys(suite, source)
    return f"select {', '.join(suite.key) or '*'} from {source} and ({scope.bind(rule.unexpected)})"


def _wrong_columns(suite: Suite, columns: Columns) -> list[str]:
    words = {
        "number": "a number",
        "text": "text",
        "time": "timestamptz",
        "date": "a date",
        "flag": "boolean",
        "any": "",
    }
    return [
        f"{column} is missing" if column not in columns else f"{column} is {columns[column]}, not {words[family]}"
        for column, family in suite.needed_columns().items()
        if column not in columns or not is_of(columns[column], family)
    ]


def _forbidden(rule: NoColumnsRule, rows: int, columns: Columns) -> Measurement:
    named = [column for column in columns if re.search(rule.forbidden, column)]
    return Measurement(rule, len(named), rows, None, ", ".join(named) or "none")


def _volume(rule: VolumeRule, suite: Suite, rows: int, scope: Scope) -> Measurement | None:
    typical = scope.typical_rows.get(suite.table)
    if not typical:
        return None
    return Measurement(rule, rows / typical, rows, None, f"{rows:,} rows; a typical batch has {typical:,.0f}")
