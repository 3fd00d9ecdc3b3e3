"""A planted leak is dropped and named, whatever kind of column it hides in; a strong honest column is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models_ml.core import association
from models_ml.core.leakage import MAX_ROWS, Times, sample, screen
from tests.conftest import real_data

ROWS = 3000
RANDOM = np.random.default_rng(6)
LABEL = (RANDOM.uniform(size=ROWS) < 0.3).astype(float)
NOISE = RANDOM.normal(size=ROWS)
WORDS = np.array(["phone", "mail", "web", "fair", "friend"], dtype=object)
AS_OF = pd.Timestamp("2026-03-31")
LEADS = pd.DataFrame({"lead_id": [f"l{number}" for number in range(ROWS)], "noise": NOISE, "as_of": AS_OF.date()})


def suspicions(column: object, **options: object) -> list[tuple[str, str, bool]]:
    frame = LEADS.assign(column=column)
    found = screen(frame, LABEL, ["noise", "column"], entity="lead_id", **options)
    return [(item.column, item.check, item.is_dropped) for item in found]


def mostly(share: float, yes: object, no: object) -> np.ndarray:
    """Return `yes` where the label is 1 and `no` where it is 0, but at random in `share` of the rows."""
    random = np.random.default_rng(round(1000 * share))
    said = np.where(random.uniform(size=ROWS) < share, random.permutation(LABEL), LABEL)
    return np.where(said == 1, yes, no)


LEAKS = {
    "the label itself": (LABEL, "correlation"),
    "the label as a boolean": (LABEL == 1, "correlation"),
    "filled only when bought": (np.where(LABEL == 1, NOISE, np.nan), "missing_values"),
    "a word only when bought": (np.where(LABEL == 1, "x", None), "missing_values"),
    "nonzero only when bought": (LABEL * RANDOM.lognormal(3, 2, ROWS), "single_column_auc"),
    "a hump that only a tree sees": (
        np.where(LABEL == 1, 0.5 * NOISE, np.sign(NOISE) * (4 + NOISE**2)),
        "single_column_auc",
    ),
    "codes that no shallow tree can sort": (
        np.arange(ROWS) % 20 * 2 + np.where(np.arange(ROWS) % 2, LABEL, 1 - LABEL),
        "single_column_auc",
    ),
    "a status word": (np.where(LABEL == 1, "won", "open"), "cramers_v"),
    "many status words": (np.where(LABEL == 1, "closed: ", "open: ") + RANDOM.choice(WORDS, ROWS), "cramers_v"),
    "a word that is nearly always right": (mostly(0.05, "will buy", "no answer"), "single_column_auc"),
    "a date set by the outcome": (
        AS_OF
        - pd.to_timedelta(np.where(LABEL == 1, RANDOM.uniform(0, 9, ROWS), RANDOM.uniform(20, 90, ROWS)), unit="D"),
        "single_column_auc",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_dropped(name: str) -> None:
    column, check = LEAKS[name]
    assert suspicions(column) == [("column", check, True)]


HONEST = {
    "a strong number": LABEL * 1.5 + NOISE,
    "a strong word": mostly(0.5, "hot", "cold"),
    "an id": LEADS["lead_id"].to_numpy(),
    "a word for every third row": np.array([f"w{number // 3}" for number in range(ROWS)], dtype=object),
    "constant": np.zeros(ROWS),
    "a constant word": np.full(ROWS, "x", dtype=object),
    "empty": np.full(ROWS, np.nan),
    "no word at all": np.full(ROWS, None, dtype=object),
    "missing at random": np.where(NOISE > 0, None, RANDOM.choice(WORDS, ROWS)),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_column_is_kept(name: str) -> None:
    assert suspicions(HONEST[name]) == []


def test_between_the_limits_it_is_flagged_and_kept() -> None:
    assert suspicions(LABEL * 2.05 + NOISE) == [("column", "single_column_auc", False)]
    assert suspicions(mostly(0.15, "yes", "no")) == [("column", "single_column_auc", False)]


def test_ids_do_not_look_like_the_label() -> None:
    """Uncorrected, Cramer's V of a column of ids is 1."""
    codes = np.arange(ROWS)
    assert association.cramers_v(codes, LABEL) == 0.0
    assert association.category_auc(codes, LABEL, codes % 3, 3) == pytest.approx(0.5)


def test_cramers_v_of_a_known_table() -> None:
    """Two by two, 40 / 10 / 20 / 30: chi-squared 16.667, phi 0.408; corrected by Bergsma's formula."""
    codes = np.repeat([0, 0, 1, 1], [40, 10, 20, 30])
    label = np.repeat([0.0, 1.0, 0.0, 1.0], [40, 10, 20, 30])
    corrected = 1 / 6 - 1 / 99
    assert association.cramers_v(codes, label) == pytest.approx(np.sqrt(corrected / (1 - 1 / 99)))


def test_what_people_declare_is_obeyed() -> None:
    for moment, scored_at, is_dropped in [
        ("outcome", "contact", True),
        ("contact", "contact", False),
        ("contact", "creation", True),
        ("creation", "creation", False),
    ]:
        found = suspicions(NOISE, known_at={"column": moment}, scored_at=scored_at)
        assert found == ([("column", "known_at", True)] if is_dropped else []), (moment, scored_at)


@pytest.mark.parametrize(
    ("late_share", "expected"), [(0.0, []), (0.2, [False]), (0.9, [True])], ids=["never", "flagged", "dropped"]
)
def test_values_changed_after_the_outcome(late_share: float, expected: list[bool]) -> None:
    closed = AS_OF - pd.to_timedelta(RANDOM.uniform(5, 60, ROWS), unit="D")
    late = np.arange(ROWS) / ROWS < late_share
    frame = LEADS.assign(
        closed_at=closed.where(LABEL == 1, pd.NaT),
        noted_at=closed + pd.to_timedelta(np.where(late, 2, -3), unit="D"),
        column=RANDOM.choice(WORDS, ROWS),
    )
    times = Times(as_of="as_of", outcome_at="closed_at", changed_at={"column": "noted_at"})
    found = screen(frame, LABEL, ["column"], entity="lead_id", times=times)
    assert [(item.check, item.is_dropped) for item in found] == [("changed_after_outcome", gone) for gone in expected]


def test_values_dated_after_as_of() -> None:
    times = Times(as_of="as_of", ages=("days_since",), planned=("expected_on",))
    later = AS_OF + pd.to_timedelta(np.where(np.arange(ROWS) % 10 == 0, 30, -30), unit="D")
    one_typo = AS_OF - pd.to_timedelta(np.where(np.arange(ROWS) == 7, -400, 30), unit="D")
    that_evening = np.full(ROWS, AS_OF + pd.Timedelta(hours=23), dtype="datetime64[ns]")
    frame = LEADS.assign(
        last_call_at=later,
        expected_on=later,
        first_call_at=one_typo,
        seen_at=that_evening,
        days_since=np.where(np.arange(ROWS) % 5, 4.0, -1.0),
    )
    columns = ["last_call_at", "expected_on", "first_call_at", "seen_at", "days_since"]
    found = screen(frame, LABEL, columns, entity="lead_id", times=times)
    assert [(item.column, item.check, item.is_dropped) for item in found] == [
        ("last_call_at", "later_than_as_of", True),
        ("first_call_at", "later_than_as_of", False),
        ("days_since", "later_than_as_of", True),
    ]


def test_an_attribute_changed_after_as_of_is_not_what_was_known() -> None:
    frame = LEADS.assign(column=NOISE, changed_at=AS_OF + pd.Timedelta(days=3))
    found = screen(frame, LABEL, ["column"], times=Times(as_of="as_of", changed_at={"column": "changed_at"}))
    assert [(item.check, item.value) for item in found] == [("later_than_as_of", 1.0)]


def test_with_one_class_only_declarations_and_times_still_count() -> None:
    frame = LEADS.assign(column=1.0)
    for label in (np.zeros(ROWS), np.ones(ROWS)):
        assert screen(frame, label, ["column", "noise"], entity="lead_id") == []
        assert screen(frame, label, ["column"], known_at={"column": "outcome"})[0].is_dropped
    assert screen(frame.head(0), np.array([]), ["column"], entity="lead_id") == []


def test_large_frames_are_sampled_the_same_way_in_any_order() -> None:
    rows = pd.DataFrame({"customer_id": np.arange(60_000) // 2, "as_of": np.arange(60_000) % 2})
    chosen = rows.iloc[sample(rows, "customer_id", "as_of")]
    shuffled = rows.sample(frac=1, random_state=3)
    again = shuffled.iloc[sample(shuffled, "customer_id", "as_of")]
    assert len(chosen) == MAX_ROWS
    pd.testing.assert_frame_equal(chosen, again.sort_index())
    assert chosen["as_of"].mean() == pytest.approx(0.5, abs=0.02)


REPS_FILL_IN = ("Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity")


@pytest.fixture(scope="module")
def xeducation() -> pd.DataFrame:
    leads = pd.read_csv(real_data("xeducation_leads") / "Leads.csv", skipinitialspace=True)
    return leads.drop(columns=[name for name in leads if leads[name].isna().all()])


@pytest.mark.real_data
def test_xeducation_tags_are_flagged_by_themselves(xeducation: pd.DataFrame) -> None:
    """Tags alone has an AUC of about 0.92: more than any honest column, less than what is dropped unasked."""
    columns = [name for name in xeducation if name not in ("Converted", "Prospect ID")]
    label = xeducation["Converted"].to_numpy(dtype=float)
    (found,) = screen(xeducation, label, columns, entity="Prospect ID")
    assert (found.column, found.check, found.is_dropped) == ("Tags", "single_column_auc", False)
    assert found.value == pytest.approx(0.92, abs=0.01)


@pytest.mark.real_data
def test_xeducation_what_reps_fill_in_stays_out_when_declared(xeducation: pd.DataFrame) -> None:
    columns = [name for name in xeducation if name not in ("Converted", "Prospect ID")]
    label = xeducation["Converted"].to_numpy(dtype=float)
    declared = {**dict.fromkeys(REPS_FILL_IN, "contact"), "Tags": "outcome"}
    found = screen(xeducation, label, columns, entity="Prospect ID", known_at=declared, scored_at="creation")
    assert {item.column for item in found if item.is_dropped} == set(REPS_FILL_IN)
    assert {item.check for item in found} == {"known_at"}
