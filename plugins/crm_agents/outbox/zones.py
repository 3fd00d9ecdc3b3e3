"""In which time zones a country lies, and when the next moment comes that is quiet in none of them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da")
SEARCHED_DAYS = 3  # the pattern of allowed hours repeats every day, but for a change of the clocks


def zones_of(country: str | None) -> tuple[str, ...]:
    """Return the time zones of a country, empty when the country is not known.

    Parameters
    ----------
    country : str or None
        ISO 3166 code (two or three letters, or digits), a code that was withdrawn, or the name in one of `LANGUAGES`; case and
        blanks at the ends do not matter. Source: Unicode CLDR, by Babel.
    """
    if country is None:
        return ()
    return _zones_by_country().get(country.strip().casefold(), ())


@cache
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    """Return the zones of every spelling of every country, in lower case."""
    from babel import Locale
    from babel.core import get_global

    known = available_timezones()
    of_code = {
        code: tuple(sorted(known.intersection(zones)))
        for code, zones in get_global("territory_zones").items()
        if known.intersection(zones)
    }
    found: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for code, name in Locale(language).territories.items():
            found.setdefault(name.casefold(), set()).update(of_code.get(code, ()))
    for alias, codes in get_global("territory_aliases").items():
        found.setdefault(alias.casefold(), set()).update(*(of_code.get(code, ()) for code in codes))
    for code, zones in of_code.items():
        found[code.casefold()] = set(zones)
    return {country: tuple(sorted(zones)) for country, zones in found.items() if zones}


def next_allowed(at: datetime, zones: tuple[str, ...], quiet_from_hour: int, quiet_until_hour: int) -> datetime | None:
    """Return the first moment from `at` on that lies in the quiet hours of none of the zones.

    Parameters
    ----------
    at : datetime
        With a time zone.
    zones : tuple of str
        IANA names, at least one.
    quiet_from_hour, quiet_until_hour : int
        Hours of the local day, 0 to 23: quiet from the one (included) to the other (not included), over midnight when the
        first is the later one; no quiet hours when they are equal.

    Returns
    -------
    datetime or None
        In UTC; None when the zones lie so far apart that it is always quiet in one of them.
    """
    start = at.astimezone(UTC)
    local = [ZoneInfo(zone) for zone in zones]
    ends = {
        datetime.combine(start.astimezone(zone).date() + timedelta(days=day), time(quiet_until_hour), zone).astimezone(
            UTC
        )
        for zone in local
        for day in range(SEARCHED_DAYS + 1)
    }
    for moment in (start, *sorted(end for end in ends if end > start)):
        if not any(_is_quiet(moment.astimezone(zone).hour, quiet_from_hour, quiet_until_hour) for zone in local):
            return moment
    return None


def _is_quiet(hour: int, quiet_from: int, quiet_until: int) -> bool:
    if quiet_from <= quiet_until:
        return quiet_from <= hour < quiet_until
    return hour >= quiet_from or hour < quiet_until
