"""Drift of what arrives: how many rows a table gets, how well columns are filled, how values are distributed.

Rows are counted once by day and bucket (`profile`); everything else is arithmetic on those counts. The newest window of days
is compared with the weeks before it, and so is every earlier window of the history, which tells how far a measurement moves
when nothing is wrong (`measure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_agents.company_settings import Monitoring
from crm_agents.monitoring.limits import Measurement
from crm_agents.monitoring.watch_list import WATCHED, Watched

if TYPE_CHECKING:
    import duckdb

YEAR_DAYS = 364  # whole weeks, so that weekdays meet weekdays
# Numbers are counted on a fixed logarithmic grid, 10 % a step, which no reference can move; the index is taken over ten
# groups of these steps with equal shares of the reference.
STEP = 1.1
GROUPS = 10
RARE_SHARE = 0.02  # categories rarer than this are compared together


def profile(
    connection: duckdb.DuckDBPyConnection, first_on: date, last_on: date, watched: Sequence[Watched] = WATCHED
) -> None:
    """Fill the temporary table ``profile``: subject, kind, name, day, bucket, n, over the rows of these days.

    Kinds are ``volume`` (name and bucket empty), ``fill`` (buckets filled and empty), ``category`` and ``number``.
    """
    connection.execute(
        "create or replace temp table profile (subject varchar, kind varchar, name varchar, day date, bucket varchar, "
        "n bigint)"
    )
    for table in watched:
        connection.execute(f"insert into profile {_profile_query(table, first_on, last_on)}")


def measure(connection: duckdb.DuckDBPyConnection, as_of: date, settings: Monitoring) -> list[Measurement]:
    """Return every measurement of the window that ends with `as_of`; what has too few rows is left out."""
    _read_windows(connection, as_of, settings)
    windows = settings.reference_days // settings.window_days
    history = settings.history_days // settings.window_days
    rows = []
    for query in (
        _volume_query(windows, history, settings),
        _fill_query(windows, history, settings),
        _distribution_query(windows, history, settings),
    ):
        rows += connection.execute(query).fetchall()
    return [Measurement(*row) for row in rows]


def needed_days(settings: Monitoring) -> int:
    """Return how many days back from as_of `profile` must reach."""
    return settings.history_days + settings.reference_days + 2 * settings.window_days + YEAR_DAYS


def first_needed(as_of: date, settings: Monitoring) -> date:
    """Return the first day that `measure` reads."""
    return as_of - timedelta(days=needed_days(settings))


def _profile_query(table: Watched, first_on: date, last_on: date) -> str:
    columns = [(name, "category", f"coalesce({name}::varchar, '')") for name in table.categories]
    columns += [(name, "number", step_of(name)) for name in table.numbers]
    columns += [(name, "fill", f"case when {name} is null then 'empty' else 'filled' end") for name in table.fills]
    inner = ", ".join(f"{expression} as c{place}" for place, (_, _, expression) in enumerate(columns))
    names = [f"c{place}" for place in range(len(columns))]
    sets = ", ".join(["(day)", *(f"(day, {name})" for name in names)])
    kinds = " ".join(f"when grouping({c}) = 0 then '{kind}'" for c, (_, kind, _) in zip(names, columns, strict=True))
    labels = " ".join(f"when grouping({c}) = 0 then '{name}'" for c, (name, _, _) in zip(names, columns, strict=True))
    return f"""
        select '{table.subject}', case {kinds} else 'volume' end, case {labels} else '' end, day,
            coalesce({", ".join(names)}, ''), count(*)
        from (select day, {inner} from ({table.rows}) where day between date '{first_on}' and date '{last_on}')
        group by grouping sets ({sets})
    """


def step_of(name: str) -> str:
    """Return the SQL of the step of the logarithmic grid that a number falls into, as text."""
    return (
        f"case when {name} is null then 'empty' when {name} = 0 then '0' else "
        f"(case when {name} < 0 then '-' else '+' end) || (1000 + floor(ln(abs({name}::double)) / ln({STEP})))::integer end"
    )


def _read_windows(connection: duckdb.DuckDBPyConnection, as_of: date, settings: Monitoring) -> None:
    """Fill ``windows``: counts by window number (0 ends with as_of), and ``spans``: the windows each subject has had."""
    connection.execute(
        f"""
        create or replace temp table windows as
        select subject, kind, name, bucket, (date '{as_of}' - day) // {settings.window_days} as back, sum(n)::double as n
        from profile where day <= date '{as_of}' and day >= date '{first_needed(as_of, settings)}' group by all
        """
    )
    connection.execute(
        f"""
        create or replace temp table spans as
        select subject, unnest(range((date '{as_of}' - min(day) + 1) // {settings.window_days})) as back
        from profile where day <= date '{as_of}' group by subject
        """
    )


def _compared(kind: str, floor: str, history: int, judged: str) -> str:
    """Return the last part of each query: the newest value of ``moved`` beside median and spread of those before.

    The spread is the largest of what the median deviation and the outer twentieths say: tails may be heavy, and what comes
    back every quarter is usual.
    """
    return f"""
        select '{kind}', subject, name, value, usual, spread, ({floor})::double, n::bigint, reference::bigint
        from (from moved where back = 0 and {judged})
        left join (
            select subject, name, median(value) as usual,
                greatest(
                    1.4826 * mad(value), (quantile_cont(value, 0.95) - median(value)) / 1.645,
                    (median(value) - quantile_cont(value, 0.05)) / 1.645
                ) as spread
            from moved where back between 1 and {history} group by subject, name
        ) using (subject, name)
    """


def _volume_query(windows: int, history: int, settings: Monitoring) -> str:
    """Compare a window's rows with the median window before it, moved by what the same season did a year ago."""
    year = YEAR_DAYS // settings.window_days
    return f"""
        with counted as (
            select subject, '' as name, back, coalesce(n, 0) as n
            from spans left join (from windows where kind = 'volume') using (subject, back)
        ),
        levels as (
            select *, median(n) over before as level, count(*) over before as windows_before
            from counted window before as (partition by subject order by back rows between 1 following
                and {windows} following)
        ),
        moved as (
            select l.subject, l.name, l.back, l.n, l.level * l.windows_before as reference,
                ln((l.n + 0.5) / (l.level + 0.5))
                    - coalesce(ln((y.n + 0.5) / (y.level + 0.5)), 0) as value
            from levels l
            left join levels y on y.subject = l.subject and y.back = l.back + {year} and y.windows_before = {windows}
                and y.level >= {settings.min_rows}
            where l.windows_before = {windows} and l.level > 0
        )
        {
        _compared(
            "volume", f"ln(1 + {settings.min_volume_change})", history, f"reference >= {windows * settings.min_rows}"
        )
    }
    """


def _fill_query(windows: int, history: int, settings: Monitoring) -> str:
    """Compare the filled share of a window with that of the windows before it."""
    return f"""
        with counted as (
            select subject, name, back, sum(n) as n, coalesce(sum(n) filter (bucket = 'filled'), 0) as filled
            from windows where kind = 'fill' group by all
        ),
        moved as (
            select subject, name, back, n, sum(n) over before as reference,
                filled / n - sum(filled) over before / sum(n) over before as value
            from counted window before as (partition by subject, name order by back range between 1 following
                and {windows} following)
        )
        {
        _compared(
            "fill",
            str(settings.min_fill_change),
            history,
            f"n >= {settings.min_rows} and reference >= {settings.min_rows}",
        )
    }
    """


def _distribution_query(windows: int, history: int, settings: Monitoring) -> str:
    """Compare distributions by the square root of the population stability index (it grows in proportion to the shift)."""
    return f"""
        with cells as (
            select s.subject, c.kind, c.name, c.bucket, s.back
            from (select distinct subject, kind, name, bucket from windows where kind in ('category', 'number')) c
            join spans s using (subject)
            where s.back <= {history + windows}
        ),
        counted as (
            select c.*, coalesce(n, 0) as n, sum(coalesce(n, 0)) over before as reference
            from cells c left join windows w using (subject, kind, name, bucket, back)
            window before as (partition by c.subject, c.kind, c.name, c.bucket order by c.back range between 1 following
                and {windows} following)
        ),
        shares as (
            select *, sum(reference) over cell as reference_total,
                (sum(reference) over upto - reference / 2) / nullif(sum(reference) over cell, 0) as place
            from counted
            where back <= {history} and back + {
        windows
    } in (select x.back from spans x where x.subject = counted.subject)
            window cell as (partition by subject, kind, name, back),
                upto as (partition by subject, kind, name, back order by {step_order("bucket")})
        ),
        grouped as (
            select subject, kind, name, back, sum(n) as n, sum(reference) as reference,
                case when kind = 'number' then least(floor(place * {GROUPS}), {GROUPS - 1})::integer::varchar
                    when reference < {RARE_SHARE} * reference_total then 'rare' else bucket end as part
            from shares where reference_total > 0 group by all
        ),
        parts as (
            select *, (n + 0.5) / sum(n + 0.5) over cell as share,
                (reference + 0.5) / sum(reference + 0.5) over cell as reference_share
            from grouped window cell as (partition by subject, kind, name, back)
        ),
        moved as (
            select subject, name, back, sum(n) as n, sum(reference) as reference,
                sqrt(sum((share - reference_share) * ln(share / reference_share))) as value
            from parts group by subject, name, back
        )
        {
        _compared(
            "distribution",
            f"sqrt({settings.min_distribution_psi})",
            history,
            f"n >= {settings.min_rows} and reference >= {settings.min_rows}",
        )
    }
    """


def step_order(bucket: str) -> str:
    """Return the SQL that orders steps by their values: negative ones, none and nothing, positive ones; then the rest."""
    return (
        f"case left({bucket}, 1) when '-' then -try_cast(substr({bucket}, 2) as integer) "
        f"when '+' then 10000 + try_cast(substr({bucket}, 2) as integer) when '0' then 0 else 1 end, {bucket}"
    )
