"""When a run has to wait for a person, and what that person reads."""

from __future__ import annotations

from datetime import date

import pytest

from crm_agents.agents.frame import AgentRun
from crm_agents.approval import Difference, as_table, limits_exceeded
from crm_agents.company_settings import WriteBack

LIMITS = WriteBack()


@pytest.mark.parametrize(
    ("difference", "names"),
    [
        (Difference(new=5000), []),  # a first run
        (Difference(existing=1000, moved=200, lost=150, total=100.0, moves=50.0), []),  # all at their limits
        (Difference(existing=1000, moved=201, total=100.0), ["approval_above_share"]),
        (Difference(existing=1000, lost=151, total=100.0), ["approval_above_deleted"]),
        (Difference(existing=1000, total=100.0, moves=50.1), ["approval_above_move"]),
        (
            Difference(existing=10, moved=10, lost=9, total=1.0, moves=9.0),
            ["approval_above_share", "approval_above_deleted", "approval_above_move"],
        ),
    ],
)
def test_limits(difference: Difference, names: list[str]) -> None:
    said = limits_exceeded(difference, LIMITS)
    assert [text.rpartition("write_back.")[2].rstrip(")") for text in said] == names


def test_a_limit_that_is_switched_off_asks_nobody() -> None:
    off = WriteBack(approval_above_share=None, approval_above_move=None, approval_above_deleted=None)
    assert limits_exceeded(Difference(existing=10, moved=10, lost=10, total=1.0, moves=9.0), off) == []


def test_the_form_shows_the_difference_as_a_table() -> None:
    difference = Difference(
        existing=4000,
        moved=1000,
        lost=1,
        new=12,
        total=800.0,
        moves=400.0,
        largest=(("c1", 0.9, 0.1), ("c2", 0.5, None)),
        material=0.2,
    )
    text = as_table(difference, LIMITS, AgentRun("agent-1", "agent", date(2026, 1, 1)), "churn", ["it is too much"])
    lines = text.splitlines()
    assert "| that would move by more than 0.2 | 1,000 | 25.0% | up to 20% |" in lines
    assert "| that would be lost | 1 | 0.0% | up to 15% |" in lines
    assert "| all moves together | 400.0 | 50.0% | up to 50% |" in lines
    assert "| c1 | 0.900 | 0.100 |" in lines
    assert "| c2 | 0.500 | none |" in lines
    assert {line.count("|") for line in lines if line.startswith("|")} == {5, 4}
    assert "it is too much" in lines[0]
