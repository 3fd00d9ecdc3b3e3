"""The minimum-data ladder: which rung, and the sentence that says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crm_agents.company_settings import MinimumData
from crm_agents.model_catalog import ModelSpec, find_model
from crm_agents.usability import TrainingStatistics, Usability, climb, fewest_entities, leakage_findings
from models_ml.core.leakage import Suspicion

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


LADDER = find_model("purchase_propensity")
ONE_RUNG = replace(LADDER, simpler=None, rule=None)


def climbed(found: TrainingStatistics, spec: ModelSpec = ONE_RUNG, horizon_days: int = 30) -> Usability:
    return climb(found, MinimumData(), spec, horizon_days=horizon_days)


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


SIMPLER = {"entities": 100, "history_days": 180, "positives": 30, "negatives": 30}
RULE = {"entities": 50, "history_days": 90, "positives": 10, "negatives": 10}


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (replace(PLENTY, entities=499), "simpler_model", "so recency, frequency and value alone decide: 499 customers"),
        (replace(PLENTY, **SIMPLER), "simpler_model", "100 customers who have bought (needed: 500)"),
        (replace(PLENTY, **{**SIMPLER, "positives": 29}), "rule", "so recency alone decides"),
        (replace(PLENTY, **{**SIMPLER, "history_days": 179}), "rule", "179 days of history (needed: 365)"),
        (replace(PLENTY, **RULE), "rule", "50 customers who have bought (needed: 500)"),
        (replace(PLENTY, **{**RULE, "entities": 49}), "not_scored", "49 customers who have bought (needed: 500)"),
        (replace(PLENTY, **{**RULE, "negatives": 9}), "not_scored", "Too little data to learn from"),
    ],
)
def test_each_rung_has_its_limits(found: TrainingStatistics, outcome: str, words: str) -> None:
    result = climbed(found, LADDER)
    assert result.outcome == outcome
    assert words in result.reason
    severities = {finding.severity for finding in result.findings}
    assert ("blocking" in severities) == (outcome == "not_scored")
    assert result.findings[-1].severity == ("blocking" if outcome == "not_scored" else "warning")
    keys = [(finding.check_name, finding.column_name) for finding in result.findings]
    assert len(keys) == len(set(keys))


def test_what_nobody_could_learn_from_reaches_no_rung() -> None:
    """0.8 % of the customers come back: more rows do not make it more."""
    rare = replace(PLENTY, entities=90_000, positives=800, negatives=99_200)
    result = climbed(rare, LADDER)
    assert result.outcome == "not_scored"
    assert "0.8% of the training rows are followed by a purchase" in result.reason


def test_a_model_without_lower_rungs_is_not_scored() -> None:
    assert climbed(replace(PLENTY, entities=499)).outcome == "not_scored"


def test_deals_need_forty_won_and_forty_lost() -> None:
    deals = replace(ONE_RUNG, entity_type="opportunity")
    few = replace(PLENTY, entities=80, positives=40, negatives=40, holdout_positives=8, holdout_negatives=8)
    assert climbed(few, deals).outcome == "own_model"
    for change in ({"entities": 79}, {"positives": 39}, {"negatives": 39}, {"holdout_positives": 7}):
        assert climbed(replace(few, **change), deals).outcome == "not_scored", change
    assert climbed(few).outcome == "not_scored"


def test_a_lower_rung_never_needs_more_than_the_top_one() -> None:
    small = MinimumData(customers=60, positives=20)
    found = replace(PLENTY, entities=60, positives=20)
    assert climb(found, small, LADDER, horizon_days=30).outcome == "own_model"
    assert climb(replace(found, entities=59), small, LADDER, horizon_days=30).outcome == "rule"


def test_below_the_lowest_rung_nobody_needs_to_look_further() -> None:
    assert fewest_entities(LADDER, MinimumData()) == 50
    assert fewest_entities(replace(LADDER, rule=None), MinimumData()) == 100
    assert fewest_entities(ONE_RUNG, MinimumData()) == 500


def test_every_suspicion_becomes_a_sentence() -> None:
    checks = ["known_at", "later_than_as_of", "changed_after_outcome", "missing_values", "correlation", "cramers_v"]
    found = leakage_findings(
        [*(Suspicion(name, name, 0.97, True) for name in checks), Suspicion("Tags", "single_column_auc", 0.92, False)],
        "features.ftr_leads",
    )
    assert [finding.check_name for finding in found] == [*checks, "single_column_auc"]
    assert all("it was left out" in finding.detail for finding in found[:-1])
    assert "Tags alone tells the outcome (AUC 0.920" in found[-1].detail
    assert "kept" in found[-1].detail
    assert [finding.severity for finding in found] == ["info", *["warning"] * 6]
    assert [finding.severity for finding in leakage_findings([], "t")] == ["info"]


def test_the_reason_names_what_lacks_most_basically_and_counts_the_rest() -> None:
    nothing = replace(PLENTY, entities=0, training_cutoffs=0, positives=0, negatives=0, missing_shares={})
    assert climbed(nothing).reason == (
        "Too little data to learn from: 0 customers who have bought (needed: 500); 0 training cut-offs with data "
        "(needed: 1); 3 more in crm_ai.data_usability."
    )
