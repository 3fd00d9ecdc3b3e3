"""From text to the CRM's types: what can be read for certain is read, everything else stays visible as a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_CERTAIN = ("%d.%m.%Y", "%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%Y%m%d")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y")


def _formats(days: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{day}{time}'" for day in days for time in _TIMES) + "]"


_DAY_OVER_12 = r"(1[3-9]|2\d|3[01])"
_GROUPS = r"\d{{1,3}}([{separators}]\d{{3}})+|\d+"
# Around the number a currency may stand. Not brackets: they mean a negative amount in some books. A letter that touches
# the number is part of a three-letter code (12EUR; none ends in O), or else a mistyped digit as in 12,5O.
_CODE = "[A-Z]{2}[A-NP-Z]"
_BEFORE = rf"([^\d,.()-]*([^\d,.()\pL-]|\b{_CODE}))?"
_AFTER = rf"(([^\d,.()\pL-]|{_CODE}\b)[^\d,.()-]*)?"


def _amount(separators: str, mark: str) -> str:
    groups = _GROUPS.format(separators=separators)
    return f"{_BEFORE}-?{_BEFORE}({groups})({mark}\\d+)?{_AFTER}"


# The load_ macros are the loader's own; day_first, month_first and money are for mappings. Those return text, and the
# value as it came when they cannot read it: then the loader's cast fails and the row is quarantined, not blanked.
# No expression stands twice in a macro: DuckDB would compute it ahead of the CASE, for every row.
_MACROS = rf"""
create or replace macro load_slashed(t) as case
    when regexp_matches(t, '^{_DAY_OVER_12}[/-]')
        or try_cast(regexp_extract(t, '^(\d+)[/-]', 1) as integer)
            = try_cast(regexp_extract(t, '^\d+[/-](\d+)[/-]', 1) as integer)
        then try_strptime(t, {_formats(_DAY_FIRST)})
    when regexp_matches(t, '^\d+[/-]{_DAY_OVER_12}[/-]') then try_strptime(t, {_formats(_MONTH_FIRST)})
end;
create or replace macro load_timestamp(t) as coalesce(
    try_cast(t as timestamptz), try_strptime(t, {_formats(_CERTAIN)})::timestamptz, load_slashed(t)::timestamptz
);
create or replace macro load_integer(t) as try_cast(try_cast(t as decimal(18, 4)) as integer);
create or replace macro load_boolean(t) as case
    when lower(t) in ('yes', 'y') then true when lower(t) in ('no', 'n') then false else try_cast(t as boolean)
end;
create or replace macro day_first(t) as case
    when regexp_matches(t, '^\s*\d+[./-]\d+[./-]\d{{4}}')
        then coalesce(strftime(try_strptime(trim(t), {_formats(_DAY_FIRST)}), '%Y-%m-%d %H:%M:%S'), t)
    else t
end;
create or replace macro month_first(t) as case
    when regexp_matches(t, '^\s*\d+[./-]\d+[./-]\d{{4}}')
        then coalesce(strftime(try_strptime(trim(t), {_formats(_MONTH_FIRST)}), '%Y-%m-%d %H:%M:%S'), t)
    else t
end;
create or replace macro money(t, decimal_mark := '.') as case
    when decimal_mark = '.' and regexp_full_match(t, '{_amount(" ,’''", "[.]")}')
        then regexp_replace(t, '[^\d.-]', '', 'g')
    when decimal_mark = ',' and regexp_full_match(t, '{_amount(" .’''", ",")}')
        then replace(regexp_replace(t, '[^\d,-]', '', 'g'), ',', '.')
    else t
end
"""

# lake type -> (how a text is read, what a failure is called)
_FROM_TEXT = {
    "INTEGER": ("load_integer({})", "a whole number"),
    "DECIMAL(18, 4)": ("try_cast({} as decimal(18, 4))", "a number"),
    "BOOLEAN": ("load_boolean({})", "yes or no"),
    "TIMESTAMPTZ": ("load_timestamp({})", "a date that can be read in one way only"),
    "DATE": ("cast(load_timestamp({}) as date)", "a date that can be read in one way only"),
    "VARCHAR[]": ("try_cast({} as varchar[])", "a list"),
    "JSON": ("try_cast({} as json)", "JSON"),
}
_FROM_TYPED = {
    "INTEGER": "load_integer({})",
    "JSON": "to_json({})",
}


def define_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the reading macros known to `connection`, for the loader and for mapping SQL."""
    connection.execute(_MACROS)


def cleaned(column: str, given: str, wanted: str) -> str:
    """Return SQL for `column` with blanks as NULL, before it is read as `wanted`.

    Parameters
    ----------
    column : str
        SQL of the mapping's column.
    given, wanted : str
        DuckDB type that the mapping returns, and lake type of the CRM column.
    """
    if given != "VARCHAR":
        return column
    return f"nullif({column}, '')" if wanted == "VARCHAR" else f"nullif(trim({column}), '')"


def read_as(column: str, given: str, wanted: str) -> str:
    """Return SQL that reads the cleaned `column` as type `wanted`, NULL when it cannot be."""
    if given == "VARCHAR" and wanted in _FROM_TEXT:
        return _FROM_TEXT[wanted][0].format(column)
    return _FROM_TYPED.get(wanted, f"try_cast({{}} as {wanted})").format(column)


def unreadable(column: str, read: str, wanted: str) -> str:
    """Return SQL that is true where the cleaned `column` has a value and `read` does not hold it truly."""
    doubts = [f"{read} is null"]
    if wanted == "INTEGER":  # a cast would round 2.5
        doubts.append(f"{read} <> try_cast({column} as decimal(18, 4))")
    if wanted in {"TIMESTAMPTZ", "DATE"}:  # infinity is a date to DuckDB, and 1.2.11 one of the year 11
        doubts.append(f"{read} < '1000-01-01' or not isfinite({read})")
    return f"{column} is not null and ({' or '.join(doubts)})"


def failure_name(wanted: str) -> str:
    """Return what a value that could not be read is not, for example ``"a whole number"``."""
    return _FROM_TEXT[wanted][1] if wanted in _FROM_TEXT else "a text"
