"""The promotion gate: fixed cases have fixed outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from crm_agents.company_settings import Promotion
from crm_agents.promotion import Candidate, decide

TODAY = date(2026, 6, 30)
RULES = Promotion()


def candidate(name: str, brier: float, **changes: object) -> Candidate:
    slices = {"country=Austria": {"n": 500, "auc": 0.74}, "country=Malta": {"n": 30, "auc": 0.74}}
    metrics = {"brier": brier, "expected_calibration_error": 0.02, "slices": slices}
    fields = {
        "name": name,
        "method": "champion",
        "metrics": metrics,
        "grade": "A",
        "holdout": "1,000 rows as of 2026-05-31",
        "trained_as_of": TODAY,
        "has_card": True,
    }
    return Candidate(**{**fields, **changes})


BASELINE = candidate("the baseline", 0.21, method="baseline", grade="B")
CHAMPION = candidate("version 3", 0.200, trained_as_of=date(2026, 6, 1))
STALE = replace(CHAMPION, trained_as_of=date(2026, 3, 1))


@pytest.mark.parametrize(
    ("case", "challenger", "champion", "serve"),
    [
        ("better", candidate("the new model", 0.190), CHAMPION, "challenger"),
        ("slightly worse", candidate("the new model", 0.205, grade="B"), CHAMPION, "challenger"),
        ("much worse", candidate("the new model", 0.215, grade="B"), CHAMPION, "champion"),
        ("much worse, stale champion", candidate("the new model", 0.215, grade="B"), STALE, "challenger"),
    ],
)
def test_four_fixed_cases(case: str, challenger: Candidate, champion: Candidate, serve: str) -> None:
    decision = decide(challenger, champion, BASELINE, RULES, TODAY)
    assert decision.serve == serve
    assert decision.promote == (serve == "challenger")
    assert decision.reasons


def test_limit_is_95_percent_of_the_champion() -> None:
    limit = 0.200 / 0.95
    just, beyond = (candidate("the new model", limit + shift, grade="B") for shift in (-1e-9, 1e-6))
    assert decide(just, CHAMPION, BASELINE, RULES, TODAY).promote
    assert not decide(beyond, CHAMPION, BASELINE, RULES, TODAY).promote


def test_a_champion_of_90_days_is_not_yet_stale() -> None:
    challenger = candidate("the new model", 0.215, grade="B")
    of_90_days = replace(CHAMPION, trained_as_of=date(2026, 4, 1))
    assert not decide(challenger, of_90_days, BASELINE, RULES, TODAY).promote
    assert decide(challenger, replace(CHAMPION, trained_as_of=date(2026, 3, 31)), BASELINE, RULES, TODAY).promote


def test_grade_c_is_never_promoted() -> None:
    challenger = candidate("the new model", 0.150, grade="C")
    for champion in (None, CHAMPION, STALE):
        assert not decide(challenger, champion, BASELINE, RULES, TODAY).promote


def test_without_a_model_card_nothing_is_promoted() -> None:
    decision = decide(candidate("the new model", 0.1, has_card=False), CHAMPION, BASELINE, RULES, TODAY)
    assert not decision.promote
    assert any("no model card" in reason for reason in decision.reasons)


def test_worse_calibration_is_refused() -> None:
    def calibrated(error: float) -> Candidate:
        metrics = {**candidate("", 0.19).metrics, "expected_calibration_error": error}
        return candidate("the new model", 0.19, metrics=metrics)

    assert decide(calibrated(0.029), CHAMPION, BASELINE, RULES, TODAY).promote
    assert not decide(calibrated(0.031), CHAMPION, BASELINE, RULES, TODAY).promote


def test_a_large_slice_must_not_suffer_a_small_one_may() -> None:
    def with_slices(austria: float, malta: float) -> Candidate:
        slices = {"country=Austria": {"n": 500, "auc": austria}, "country=Malta": {"n": 30, "auc": malta}}
        return candidate("the new model", 0.19, metrics={**candidate("", 0.19).metrics, "slices": slices})

    decision = decide(with_slices(0.71, 0.9), CHAMPION, BASELINE, RULES, TODAY)
    assert not decision.promote
    assert any("country=Austria" in reason for reason in decision.reasons)
    assert decide(with_slices(0.73, 0.1), CHAMPION, BASELINE, RULES, TODAY).promote


def amounts(error: float, slices: dict[str, float], name: str = "the new model") -> Candidate:
    """A model of amounts: an error, and neither calibration nor AUC."""
    metrics = {"rmse": error, "slices": {place: {"n": 500, "rmse": value} for place, value in slices.items()}}
    return candidate(name, 0.0, metrics=metrics, primary_metric="rmse")


def test_a_model_of_amounts_passes_the_same_gate() -> None:
    champion, baseline = amounts(20.0, {"size=large": 30.0}, "version 3"), amounts(22.0, {}, "the baseline")
    for error, in_slice, serve in [
        (19.0, 31.0, "challenger"),
        (20.9, 31.0, "challenger"),
        (21.2, 30.0, "champion"),
        (19.0, 31.6, "champion"),
    ]:
        challenger = amounts(error, {"size=large": in_slice})
        decision = decide(challenger, champion, baseline, RULES, TODAY)
        assert decision.serve == serve, (error, in_slice)
    assert "size=large (rmse 31.6 against 30)" in decision.reasons[0]


def test_a_slice_with_one_class_only_is_not_judged() -> None:
    slices = {"size=small": {"n": 500, "auc": None, "brier": 0.5}}
    one_class = candidate("the new model", 0.19, metrics={**candidate("", 0.19).metrics, "slices": slices})
    champion = replace(
        CHAMPION, metrics={**CHAMPION.metrics, "slices": {"size=small": {"n": 500, "auc": 0.7, "brier": 0.1}}}
    )
    assert decide(one_class, champion, BASELINE, RULES, TODAY).promote


@pytest.mark.parametrize("method", ["champion", "simpler_model", "rule"])
def test_any_model_that_fell_to_grade_c_gives_way(method: str) -> None:
    fallen = replace(CHAMPION, grade="C", method=method)
    weak = candidate("the new model", 0.22, grade="C")
    assert decide(weak, fallen, BASELINE, RULES, TODAY).serve == "baseline"
    assert decide(weak, replace(fallen, grade="B"), BASELINE, RULES, TODAY).serve == "champion"


def test_another_holdout_cannot_be_compared() -> None:
    challenger = candidate("the new model", 0.1, holdout="900 rows as of 2026-04-30")
    assert not decide(challenger, CHAMPION, BASELINE, RULES, TODAY).promote


def test_first_model_needs_no_champion() -> None:
    assert decide(candidate("the new model", 0.2), None, BASELINE, RULES, TODAY).serve == "challenger"


def test_the_baseline_serves_when_nobody_is_better() -> None:
    assert decide(candidate("the new model", 0.22, grade="C"), None, BASELINE, RULES, TODAY).serve == "baseline"


def test_a_champion_that_fell_to_grade_c_gives_way_to_the_baseline() -> None:
    fallen = replace(CHAMPION, grade="C")
    assert decide(candidate("the new model", 0.22, grade="C"), fallen, BASELINE, RULES, TODAY).serve == "baseline"


def test_a_serving_baseline_stays_until_a_fresh_one_is_better_or_it_is_stale() -> None:
    weak = candidate("the new model", 0.3, grade="C")
    serving = candidate("version 2", 0.212, method="baseline", grade="B", trained_as_of=date(2026, 6, 1))
    assert decide(weak, serving, BASELINE, RULES, TODAY).serve == "champion"
    old = replace(serving, trained_as_of=date(2026, 1, 1))
    assert decide(weak, old, BASELINE, RULES, TODAY).serve == "baseline"
    far_behind = replace(serving, metrics={**serving.metrics, "brier": 0.25})
    assert decide(weak, far_behind, BASELINE, RULES, TODAY).serve == "baseline"


def test_grade_a_can_be_demanded() -> None:
    strict = Promotion(min_grade="A")
    assert not decide(candidate("the new model", 0.2, grade="B"), None, BASELINE, strict, TODAY).promote
    assert decide(candidate("the new model", 0.2, grade="A"), None, BASELINE, strict, TODAY).promote
