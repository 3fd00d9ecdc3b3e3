"""The minimum-data ladder: which rung, and the sentence that says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crm_agents.company import MinimumData
from crm_agents.usability import TrainingStatistics, Usability, climb

PLENTY = TrainingStatistics(
    entities=500,
    history_days=365,
    training_cutoffs=1,
    positives=100,
    negatives=100,
    holdout_positives=20,
    holdout_negatives=20,
    entities_are="customers who have bought",
    positive_is="followed by a purchase",
    missing_shares={"recency_days": 0.2},
)


def climbed(found: TrainingStatistics, rule: str | None = None, horizon_days: int = 30) -> Usability:
    return climb(found, MinimumData(), horizon_days=horizon_days, table="features.ftr_customers", rule=rule)


def test_exactly_enough_is_enough() -> None:
    result = climbed(PLENTY)
    assert result.outcome == "own_model"
    assert {finding.severity for finding in result.findings} == {"info"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"entities": 499}, "499 customers who have bought (needed: 500)"),
        ({"history_days": 364}, "364 days of history (needed: 365)"),
        ({"training_cutoffs": 0}, "0 training cut-offs with data (needed: 1)"),
        ({"positives": 99}, "99 training rows followed by a purchase (needed: 100)"),
        ({"negatives": 99}, "99 training rows not followed by a purchase (needed: 100)"),
        ({"negatives": 20_000}, "0.5% of the training rows are followed by a purchase (needed: 1% to 99%)"),
        ({"positives": 20_000}, "99.5% of the training rows are followed by a purchase (needed: 1% to 99%)"),
        ({"holdout_positives": 19}, "19 test rows followed by a purchase (needed: 20)"),
        ({"missing_shares": {"recency_days": 0.21}}, "21% of recency_days is missing; up to 20% is allowed"),
    ],
)
def test_too_little_is_not_scored_and_says_why(change: dict, sentence: str) -> None:
    result = climbed(replace(PLENTY, **change))
    assert result.outcome == "not_scored"
    assert sentence in result.reason
    assert [finding.detail for finding in result.findings if finding.severity == "blocking"] == [
        sentence,
        result.reason,
    ]


def test_a_long_horizon_needs_twice_its_history() -> None:
    assert climbed(PLENTY, horizon_days=182).outcome == "own_model"
    assert climbed(PLENTY, horizon_days=183).outcome == "not_scored"


def test_a_rule_takes_over_where_there_is_one() -> None:
    result = climbed(replace(PLENTY, entities=3), rule="customers are ranked by recency")
    assert result.outcome == "rule"
    assert "customers are ranked by recency" in result.reason


def test_the_reason_names_what_lacks_most_basically_and_counts_the_rest() -> None:
    nothing = replace(PLENTY, entities=0, training_cutoffs=0, positives=0, negatives=0, missing_shares={})
    assert climbed(nothing).reason == (
        "Too little data to learn from: 0 customers who have bought (needed: 500); 0 training cut-offs with data "
        "(needed: 1); 3 more in crm_ai.data_usability."
    )
