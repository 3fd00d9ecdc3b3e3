"""Runs the suites of one stage: measure, have Great Expectations judge, name examples of what failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expectations.measure import Measurement, examples, measure
from expectations.rules import Severity, Suite
from expectations.scope import Scope

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Check:
    """The outcome of one rule.

    `unexpected` counts the rows that break it (None where the rule does not count rows), `observed` says what was
    found, `examples` are keys of such rows, `sql` lists all of them.
    """

    suite: str
    table: str
    rule: str
    severity: Severity
    description: str
    success: bool
    unexpected: int | None
    observed: str
    examples: tuple[str, ...] = ()
    sql: str = ""


@dataclass(frozen=True)
class Judgement:
    """What a gate found: the tables looked at, one check per rule, Great Expectations' results as JSON, one a table."""

    tables: tuple[str, ...]
    checks: tuple[Check, ...]
    results: tuple[dict[str, Any], ...]


def judge(connection: duckdb.DuckDBPyConnection, suites: Sequence[Suite], scope: Scope) -> Judgement:
    """Run every rule of `suites` on the rows in `scope`.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With the lake attached as ``lake``.
    suites : sequence of Suite
        Of one stage; a suite whose table is not there, or whose raw table has no row in the batch, is left out.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read by Great Expectations when it is imported
    checks: list[Check] = []
    results: list[dict[str, Any]] = []
    measured = measure(connection, suites, scope)
    for suite, measurements in measured.items():
        from expectations.context import validate

        validated = validate(suite.table, measurements)
        for found, result in zip(measurements, validated.results, strict=True):
            keys = [] if result.success else examples(connection, suite, found)
            check = _check(suite, found, bool(result.success), keys)
            checks.append(check)
            result.result |= _details(found, check)
        results.append(_as_json(validated.to_json_dict()))
    tables = tuple(f"{suite.schema}.{suite.table}" for suite in measured)
    return Judgement(tables, tuple(checks), tuple(results))


def _check(suite: Suite, found: Measurement, success: bool, keys: list[str]) -> Check:
    rule = found.rule
    return Check(
        suite=suite.table,
        table=f"{suite.schema}.{suite.table}",
        rule=rule.name,
        severity=rule.severity,
        description=rule.description,
        success=success,
        unexpected=found.unexpected,
        observed=found.observed + (f", for example {', '.join(keys)}" if keys else ""),
        examples=tuple(keys),
        # the reader's connection has the lake as its default database
        sql="" if success else found.sql.replace("lake.", ""),
    )


def _details(found: Measurement, check: Check) -> dict[str, Any]:
    """Return what Data Docs show beside the judged value; the counts have the names that Great Expectations gives them."""
    details: dict[str, Any] = {"details": {"observed": check.observed, "sql": check.sql}, "element_count": found.rows}
    if found.unexpected is not None:
        details["unexpected_count"] = found.unexpected
        details["unexpected_percent"] = 100 * found.unexpected / max(found.rows, 1)
    return details


def _as_json(result: dict[str, Any]) -> dict[str, Any]:
    # batch markers and specs describe our one-row frame, which says nothing to a reader
    return result | {"meta": {"great_expectations_version": result["meta"]["great_expectations_version"]}}
