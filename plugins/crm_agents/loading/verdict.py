"""The verdict on one mapped row, as SQL: its first fault as a struct of ``rule`` and ``reason``, NULL when it has none.

A rule holds no value of the row, so it can be counted and printed; the reason does, and stays in quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from crm_agents.crm_schema import CrmTable
from crm_agents.loading import casts, duck
from crm_agents.loading.rules import VOCABULARIES, event_columns

Fault = tuple[str, str, str]  # SQL of: the test, the rule, the reason
LONGEST_VALUE = 60


def verdict_sql(table: CrmTable, wanted: Mapping[str, str], raw: Mapping[str, str], last_event_on: date) -> str:
    """Return the SQL expression of the verdict.

    Parameters
    ----------
    wanted : mapping
        Column to the type that it is read as.
    raw : mapping
        Column to the SQL of the cleaned value before it was read.
    last_event_on : date
        Later events are mistakes.
    """
    faults: list[Fault] = [("_reject is not null", "_reject", "_reject")]
    faults += _unreadable(wanted, raw)
    for column in table.key:
        rule = duck.text(f"the key {column} is empty")
        faults.append((f"{duck.name(column)} is null", rule, rule))
    faults += _outside_vocabulary(table, wanted)
    faults += _in_the_future(table, wanted, last_event_on)
    branches = " ".join(f"when {test} then {{'rule': {rule}, 'reason': {reason}}}" for test, rule, reason in faults)
    return f"case {branches} end"


def _unreadable(wanted: Mapping[str, str], raw: Mapping[str, str]) -> Iterator[Fault]:
    for column, kind in wanted.items():
        if kind != "VARCHAR":
            test = casts.unreadable(raw[column], duck.name(column), kind)
            yield _fault(column, raw[column], test, f"is not {casts.failure_name(kind)}")


def _outside_vocabulary(table: CrmTable, wanted: Mapping[str, str]) -> Iterator[Fault]:
    for column in wanted:
        words = VOCABULARIES.get((table.name, column))
        if words:
            listed = ", ".join(duck.text(word) for word in words)
            test = f"{duck.name(column)} not in ({listed})"
            yield _fault(column, duck.name(column), test, f"is not one of {', '.join(words)}")


def _in_the_future(table: CrmTable, wanted: Mapping[str, str], last_event_on: date) -> Iterator[Fault]:
    after = f"timestamptz '{last_event_on + timedelta(days=1)} 00:00:00+00'"
    for column in event_columns(table):
        if column in wanted:
            test = f"{duck.name(column)} >= {after}"
            yield _fault(column, duck.name(column), test, f"lies after {last_event_on}, the last day of this company")


def _fault(column: str, value: str, test: str, what: str) -> Fault:
    rule = duck.text(f"{column} {what}")
    before, behind = duck.text(f"{column} '"), duck.text(f"' {what}")
    return test, rule, f"{before} || left({value}::varchar, {LONGEST_VALUE}) || {behind}"
