"""What a gate says to the person whose run it stops."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents.errors import CrmAgentsError
from crm_agents.gates import GateReport, _folder
from expectations.gate import Check

PASSED = Check("orders", "raw.orders", "currency_is_code", "warning", "currency is a code.", True, 0, "0 of 9 rows")
WARNED = Check("leads", "raw.leads", "email_well_formed", "warning", "email looks right.", False, 4, "4 of 9 rows")
STOPPED = Check(
    "orders",
    "raw.orders",
    "status_known",
    "critical",
    "status is one of placed, shipped.",
    False,
    3,
    "3 of 9 rows (33.33 %), for example O1",
    ("O1",),
    "select order_id from raw.orders where status not in ('placed', 'shipped')",
)


def report(*checks: Check) -> GateReport:
    return GateReport("arrival", "run-7", checks, Path("docs/run-7/arrival.html"))


def test_a_failed_warning_does_not_stop() -> None:
    found = report(PASSED, WARNED)
    found.raise_if_critical()
    assert (found.failed_critical, found.failed_warning) == ((), (WARNED,))


def test_a_failed_critical_rule_stops_and_says_where_to_look() -> None:
    with pytest.raises(CrmAgentsError) as stopped:
        report(PASSED, WARNED, STOPPED).raise_if_critical()
    for part in ("arrival", "raw.orders", "status_known", "3 of 9 rows", "O1"):
        assert part in stopped.value.what
    for part in (STOPPED.sql, "crm_ai.quality_results", "run-7", "docs/run-7/arrival.html"):
        assert part in str(stopped.value.way_out)
    assert "email" not in stopped.value.what


def test_summary_is_words_and_counts() -> None:
    summary = report(PASSED, WARNED, STOPPED).summary()
    assert summary["checks"] == 3
    assert summary["failed_warning"] == ["raw.leads: email looks right: 4 of 9 rows (email_well_formed)"]
    assert len(summary["failed_critical"]) == 1


@pytest.mark.parametrize("run_id", ["../../etc", "a/b", "..", "manual__2026-01-01T00:00:00.5+00:00"])
def test_results_of_any_run_id_stay_in_their_folder(run_id: str) -> None:
    assert not set(_folder(run_id)) & set("/.:+")
