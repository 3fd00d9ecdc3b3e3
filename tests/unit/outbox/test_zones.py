"""Countries and their zones, and the next moment that is quiet in none of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_agents.outbox.zones import next_allowed, zones_of

BERLIN = ("Europe/Berlin",)


@pytest.mark.parametrize("country", ["DE", "de", " DEU ", "276", "Germany", "DEUTSCHLAND", "Allemagne", "Niemcy"])
def test_a_country_is_known_by_code_and_by_name(country: str) -> None:
    assert "Europe/Berlin" in zones_of(country)


@pytest.mark.parametrize(
    ("country", "zone", "at_least"),
    [("UK", "Europe/London", 1), ("Brazil", "America/Sao_Paulo", 10), ("USA", "Pacific/Honolulu", 20)],
)
def test_a_country_with_several_zones_has_them_all(country: str, zone: str, at_least: int) -> None:
    assert zone in zones_of(country)
    assert len(zones_of(country)) >= at_least


@pytest.mark.parametrize("country", [None, "", "Unspecified", "European Community", "Europe", "'; drop table x"])
def test_what_is_no_country_has_no_zones(country: str | None) -> None:
    assert zones_of(country) == ()


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-01-15 12:00", "2026-01-15 12:00"),  # noon
        ("2026-01-15 19:59", "2026-01-15 19:59"),  # 20:59 in Berlin: the last minute
        ("2026-01-15 20:00", "2026-01-16 07:00"),  # 21:00: quiet until 8
        ("2026-01-16 03:00", "2026-01-16 07:00"),  # after midnight: the same morning
        ("2026-03-28 22:00", "2026-03-29 06:00"),  # the night in which summer time begins
        ("2026-10-24 22:00", "2026-10-25 07:00"),  # and ends
    ],
)
def test_quiet_hours_put_a_contact_off(at: str, expected: str) -> None:
    assert next_allowed(utc(at), BERLIN, 21, 8) == utc(expected)


def test_several_zones_all_have_to_be_awake() -> None:
    # 08:00 in Honolulu is 13:00 in New York (winter); 21:00 in New York is 02:00 UTC
    zones = ("America/New_York", "Pacific/Honolulu")
    assert next_allowed(utc("2026-01-15 14:00"), zones, 21, 8) == utc("2026-01-15 18:00")
    assert next_allowed(utc("2026-01-16 02:00"), zones, 21, 8) == utc("2026-01-16 18:00")


def test_where_somebody_always_sleeps_there_is_no_moment() -> None:
    assert next_allowed(utc("2026-01-15 14:00"), ("Europe/Kaliningrad", "Asia/Kamchatka"), 18, 9) is None


def test_quiet_hours_may_be_by_day_or_not_at_all() -> None:
    at = utc("2026-01-15 12:30")
    assert next_allowed(at, ("UTC",), 12, 14) == utc("2026-01-15 14:00")
    assert next_allowed(at, ("UTC",), 12, 12) == at


def test_an_hour_that_the_clocks_leave_out() -> None:
    # quiet until 2:00, which does not exist in Berlin on 2026-03-29: at that moment it is 3:00 (01:00 UTC)
    assert next_allowed(utc("2026-03-29 00:10"), BERLIN, 21, 2) == utc("2026-03-29 01:00")


ZONES = st.lists(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    at=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
    zones=ZONES,
    quiet_from=st.integers(0, 23),
    quiet_until=st.integers(0, 23),
)
def test_the_moment_is_allowed_and_none_before_it_is(
    at: datetime, zones: list[str], quiet_from: int, quiet_until: int
) -> None:
    at = at.replace(second=0, microsecond=0, tzinfo=UTC)
    found = next_allowed(at, tuple(zones), quiet_from, quiet_until)

    def is_allowed(moment: datetime) -> bool:
        def is_quiet(hour: int) -> bool:
            return (hour - quiet_from) % 24 < (quiet_until - quiet_from) % 24

        return not any(is_quiet(moment.astimezone(ZoneInfo(zone)).hour) for zone in zones)

    quarters = range(0, 48 * 60, 15) if found is None else range(0, int((found - at).total_seconds()) // 60, 15)
    assert found is None or is_allowed(found)
    assert not any(is_allowed(at + timedelta(minutes=minutes)) for minutes in quarters)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
