"""Every rule before the outbox, one by one and in their order; whatever is not certain is blocked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from crm_agents.contact_settings import Outreach
from crm_agents.outbox import rules, sources
from tests.outreach_desk import AT, LONG_AGO, Desk

PAGE = Path(__file__).resolve().parents[3] / "docs" / "outbox.md"


def test_a_wish_with_consent_goes_through(desk: Desk) -> None:
    desk.customer()
    desk.wish()
    assert desk.judged("rule, reason, kind, consent_basis, not_before") == [
        (None, None, "message", "web form, captured 2024-05-01 10:00 UTC", AT)
    ]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"customer_id": "c9"}, "customer.unknown"),
        ({"customer_id": None}, "customer.unknown"),
        ({"channel": None}, "channel.unknown"),
        ({"channel": "fax"}, "channel.unknown"),
        ({"channel": "Email"}, "channel.unknown"),
        ({"purpose": None}, "purpose.unknown"),
        ({"purpose": "profiling"}, "purpose.unknown"),
        ({"template": None}, "wish.incomplete"),
        ({"variables": "[1]"}, "variables.invalid"),
        ({"variables": "{broken"}, "variables.invalid"),
        ({"variables": '{"a": NaN}'}, "variables.invalid"),  # jsonb would refuse the whole batch for these
        ({"variables": '{"a": "\\u0000"}'}, "variables.invalid"),
        ({"variables": '{"a": 1e99999}'}, "variables.invalid"),
        ({"variables": '{"to": "ada@example.org"}'}, "variables.personal"),
        ({"variables": '{"first_name": "Ada"}'}, "variables.personal"),
        ({"variables": '{"deep": {"Phone": "030 1234567"}}'}, "variables.personal"),
        ({"variables": '{"a": "not a number, infinite"}'}, None),
        ({"variables": '{"product_name": "Pen", "price": 1e3}'}, None),
        ({"variables": None}, None),
    ],
)
def test_a_bad_wish_is_named(desk: Desk, change: dict, rule: str | None) -> None:
    desk.customer()
    desk.wish(**change)
    assert desk.rules() == [rule]


def test_a_wish_without_a_decision_is_refused(desk: Desk) -> None:
    desk.wish(decision_id=None)
    with pytest.raises(ValueError, match="decision_id"):
        desk.rules()


def test_the_same_wish_twice_goes_through_once(desk: Desk) -> None:
    desk.customer()
    desk.wish(variables='{"discount": 10}')
    desk.wish(variables='{"discount": 20}')
    assert desk.rules(max_per_day=5) == [None, "wish.repeated"]


@pytest.mark.parametrize(
    ("consent", "rule"),
    [
        ({}, None),
        ({"captured_at": AT.isoformat()}, None),  # at the very moment
        ({"captured_at": (AT + timedelta(microseconds=1)).isoformat()}, "consent.later"),
        ({"captured_at": None}, "consent.undated"),
        ({"granted": None}, "consent.missing"),
        ({"granted": False}, "consent.withdrawn"),
        ({"granted": False, "captured_at": None}, "consent.withdrawn"),
        ({"basis": None}, None),
    ],
)
def test_consent(desk: Desk, consent: dict, rule: str | None) -> None:
    desk.customer()
    desk.consent(**consent)
    desk.wish()
    assert desk.rules() == [rule]


def test_consent_holds_for_its_channel_and_purpose_alone(desk: Desk) -> None:
    desk.add("outreach_customers", "c1", "DE")
    desk.consent(channel="email", purpose="service")
    desk.consent(channel="phone", purpose="marketing")
    desk.wish("d1")
    desk.wish("d2", purpose="service")
    desk.wish("d3", channel="phone", purpose="service")
    assert desk.rules() == ["consent.missing", None, "consent.missing"]


@pytest.mark.parametrize(
    ("refusal", "blocked"),
    [
        (("opt_out", "email", "marketing"), {"email marketing"}),
        (("opt_out", "email", None), {"email marketing", "email service"}),
        (("opt_out", None, None), {"email marketing", "email service", "phone marketing"}),
        (("hard_bounce", "email", None), {"email marketing", "email service"}),
        (("hard_bounce", "sms", None), set()),
        (("complaint", None, None), {"email marketing", "email service", "phone marketing"}),
    ],
)
@pytest.mark.parametrize("years_later", [0, 30])
def test_a_refusal_is_for_ever(desk: Desk, refusal: tuple, blocked: set[str], years_later: int) -> None:
    desk.customer()
    kind, channel, purpose = refusal
    desk.add("outreach_refusals", "c1", kind, channel, purpose, LONG_AGO)
    at = AT + timedelta(365 * years_later)
    for place, (channel, purpose) in enumerate([("email", "marketing"), ("email", "service"), ("phone", "marketing")]):
        desk.consent(channel=channel, purpose=purpose, captured_at=at.isoformat())  # granted anew, this very moment
        desk.wish(f"d{place}", channel=channel, purpose=purpose)
    found = desk.judged("channel || ' ' || purpose, rule", at, max_per_day=9)
    assert {asked for asked, rule in found if rule} == blocked
    names = {
        "opt_out": "suppression.opt_out",
        "hard_bounce": "suppression.undeliverable",
        "complaint": "suppression.complaint",
    }
    assert {rule for _, rule in found if rule} <= {names[kind]}


@pytest.mark.parametrize(("bounces", "days"), [(1, 7), (2, 14), (3, 30), (4, 180), (5, 180), (40, 180)])
def test_a_channel_rests_longer_after_each_bounce(desk: Desk, bounces: int, days: int) -> None:
    desk.customer()
    for place in range(bounces):
        desk.add("outreach_refusals", "c1", "soft_bounce", "email", None, (AT - timedelta(hours=place)).isoformat())
    desk.wish()
    assert desk.rules(AT + timedelta(days) - timedelta(seconds=1)) == ["suppression.bounce"]
    assert desk.rules(AT + timedelta(days)) == [None]
    desk.wish("d2", channel="phone")
    assert desk.rules(AT, max_per_day=2) == ["suppression.bounce", None]


def test_a_task_by_phone_needs_consent_and_one_without_contact_does_not(desk: Desk) -> None:
    desk.add("outreach_customers", "c1", "DE")
    desk.add("outreach_refusals", "c1", "complaint", None, None, LONG_AGO)
    desk.wish("d1", channel="phone", template="care_call")
    desk.wish("d2", channel="none", purpose=None, template="review_account")
    desk.wish("d3", channel="none", customer_id="c9")
    found = desk.judged("rule, kind, consent_basis, not_before", datetime(2026, 3, 10, 23, tzinfo=UTC), max_per_day=0)
    assert [row[:2] for row in found] == [
        ("suppression.complaint", "task"),
        (None, "task"),
        ("customer.unknown", "task"),
    ]
    assert found[1][2:] == (None, datetime(2026, 3, 10, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("days_ago", "rule"),
    [
        ([0], "frequency.day"),
        ([1], None),
        ([1, 2], "frequency.week"),
        ([6, 6], "frequency.week"),
        ([7, 7], None),
        ([7, 8, 29], "frequency.month"),
        ([7, 8, 30], None),
        ([-1, -2], "frequency.week"),  # planned already, by a run for a later day
    ],
)
def test_caps_count_what_went_before(desk: Desk, days_ago: list[int], rule: str | None) -> None:
    desk.customer()
    for place, days in enumerate(days_ago):
        desk.add("outreach_contacts", f"x{place}", "c1", (AT - timedelta(days, hours=3)).isoformat())
        desk.add("outreach_contacts", f"y{place}", "c2", AT.isoformat())  # somebody else's
    desk.wish()
    assert desk.rules(max_per_day=1, max_per_week=2, max_per_month=3) == [rule]


def test_a_day_is_one_of_the_companys_zone(desk: Desk) -> None:
    desk.customer()
    desk.add("outreach_contacts", "x", "c1", "2026-03-09 23:30:00+00")  # 00:30 on the 10th in Berlin
    desk.wish()
    assert desk.rules(zone="Europe/Berlin") == ["frequency.day"]
    assert desk.rules(zone="UTC") == [None]


def test_within_a_batch_the_first_decisions_win(desk: Desk) -> None:
    desk.customer("c1")
    desk.customer("c2")
    desk.consent("c2", channel="sms", granted=False)
    for place, channel in enumerate(["email", "sms", "phone", "mail"]):
        desk.wish(f"d{place}", "c1", channel=channel)
        desk.wish(f"e{place}", "c2", channel=channel)
    desk.wish("d9", "c1", channel="none")  # contacts nobody: takes no place
    assert desk.rules(max_per_day=2, max_per_week=2) == [
        *[None, None, "frequency.day", "frequency.day", None],
        *[None, "consent.withdrawn", None, "frequency.day"],  # the blocked one takes no place either
    ]


def test_what_was_written_before_is_not_counted_against_itself(desk: Desk) -> None:
    desk.customer()
    desk.wish("d1")
    desk.wish("d2")
    first = desk.judged("outbox_id, rule")
    desk.add("outreach_contacts", first[0][0], "c1", AT.isoformat())
    assert desk.judged("outbox_id, rule") == first
    assert [rule for _, rule in first] == [None, "frequency.day"]
    desk.wish("d0")  # a retry that wishes for more, and would come first
    assert desk.rules() == ["frequency.day", None, "frequency.day"]
    desk.add("outreach_contacts", "x", "c1", AT.isoformat())  # somebody called meanwhile: what is written stays
    assert desk.rules() == ["frequency.day", None, "frequency.day"]


def test_quiet_hours_move_the_moment_and_caps_count_where_it_went(desk: Desk) -> None:
    evening = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    for customer_id, country in [("c1", "Germany"), ("c2", "US"), ("c3", None), ("c4", "Atlantis")]:
        desk.customer(customer_id, country)
        desk.wish(f"d{customer_id}", customer_id)
    desk.add("outreach_contacts", "x", "c1", "2026-03-11 09:00:00+00")
    found = desk.judged("customer_id, rule, not_before", evening, zone="Asia/Tokyo")
    assert found == [
        ("c1", "frequency.day", datetime(2026, 3, 11, 7, tzinfo=UTC)),
        ("c2", None, evening),  # 13:30 in Honolulu, 19:30 in New York
        ("c3", None, evening),  # 08:30 in Tokyo
        ("c4", None, evening),
    ]


def test_where_it_is_always_quiet_somewhere_nobody_is_contacted(desk: Desk) -> None:
    desk.customer("c1", "RU")
    desk.wish()
    assert desk.judged("rule, reason", quiet_from_hour=17, quiet_until_hour=9) == [
        ("quiet.always", "mail_discount: It is always quiet somewhere in the time zones of RU.")
    ]


def test_every_block_has_a_sentence_without_personal_data(desk: Desk) -> None:
    desk.customer()
    for kind, channel in [("complaint", None), ("opt_out", "sms"), ("hard_bounce", "mail"), ("soft_bounce", "phone")]:
        desk.add("outreach_refusals", f"c-{kind}", kind, channel, None, (AT - timedelta(1)).isoformat())
        desk.customer(f"c-{kind}")
        desk.wish(f"d-{kind}", f"c-{kind}", channel=channel or "email")
    desk.wish("d1")
    desk.wish("d2")
    for rule, reason in desk.judged("rule, reason"):
        assert (rule is None) == (reason is None)
        assert reason is None or re.fullmatch(r"mail_discount: [A-Z][^@]+\.", reason)


CONSENTS = st.fixed_dictionaries(
    {
        "granted": st.sampled_from([True, False, None]),
        "basis": st.sampled_from(["web form", None]),
        "captured_at": st.sampled_from([LONG_AGO, None, "2026-03-10 12:00:01+00"]),
    }
)
WISHES = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["c1", "c2", "c3", None]),
        "channel": st.sampled_from(["email", "sms", "fax", None]),
        "purpose": st.sampled_from(["marketing", "profiling", None]),
    }
)
REFUSALS = st.tuples(
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["opt_out", "complaint", "hard_bounce", "soft_bounce"]),
    st.sampled_from(["email", "sms", None]),
    st.sampled_from(["marketing", "service", None]),
    st.sampled_from([LONG_AGO, "2026-03-09 12:00:00+00"]),
)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    consents=st.lists(
        st.tuples(st.sampled_from(["c1", "c2"]), st.sampled_from(["email", "sms"]), CONSENTS), max_size=4
    ),
    refusals=st.lists(REFUSALS, max_size=3),
    wishes=st.lists(WISHES, min_size=1, max_size=8),
    contacts=st.lists(st.tuples(st.sampled_from(["c1", "c2"]), st.integers(0, 35)), max_size=6),
)
def test_nothing_passes_without_valid_consent_or_beyond_a_cap(
    consents: list, refusals: list, wishes: list, contacts: list
) -> None:
    limits = {"max_per_day": 1, "max_per_week": 2, "max_per_month": 3}
    with duckdb.connect() as connection:
        desk = Desk(connection)
        for customer_id in ("c1", "c2"):
            desk.add("outreach_customers", customer_id, "DE")
        standing = {}
        for customer_id, channel, row in consents:
            desk.consent(customer_id, channel, **row)
            standing[customer_id, channel] = row
        for row in refusals:
            desk.add("outreach_refusals", *row)
        for place, row in enumerate(wishes):
            desk.wish(f"d{place}", **row)
        for place, (customer_id, days) in enumerate(contacts):
            desk.add("outreach_contacts", f"x{place}", customer_id, (AT - timedelta(days)).isoformat())
        found = desk.judged("customer_id, channel, purpose, rule", **limits)
    assert len(found) == len(wishes)
    passed = [row[:3] for row in found if row[3] is None]
    for customer_id, channel, purpose in passed:
        row = standing[customer_id, channel]
        assert row["granted"]
        assert row["captured_at"] == LONG_AGO
        assert purpose == "marketing"
        assert not any(
            who == customer_id
            and where in (channel, None)
            and what_for in (purpose, None)
            and (kind != "soft_bounce" or when != LONG_AGO)
            for who, kind, where, what_for, when in refusals
        )
    for customer_id in ("c1", "c2"):
        new = sum(who == customer_id for who, _, _ in passed)
        for days, limit in ((1, 1), (7, 2), (30, 3)):
            before = sum(who == customer_id and ago < days for who, ago in contacts)
            assert new == 0 or before + new <= limit


def test_the_page_names_every_rule() -> None:
    named = re.findall(r"^\| `(\w+\.\w+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert named == rules.names()


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Olympus"},
        {"zone": "../etc/passwd"},
        {"channels": ["e-mail"]},
        {"max_per_day": -1},
        {"quiet_from_hour": 24},
        {"soft_bounce_days": []},
        {"soft_bounce_days": [7, -1]},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError):
        Outreach(**wrong)


def test_whoever_is_asked_for_nothing_gets_nothing(desk: Desk) -> None:
    desk.customer()
    desk.wish()
    assert desk.rules(channels=[]) == ["channel.unknown"]
    assert desk.rules(purposes=["it's ours"]) == ["purpose.unknown"]
    assert desk.rules(max_per_day=0) == ["frequency.day"]


def test_no_wishes_is_no_error(desk: Desk) -> None:
    assert desk.rules() == []
    assert desk.connection.execute(f"select count(*) from {sources.WISHES}").fetchone() == (0,)
