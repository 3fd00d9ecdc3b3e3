"""Where a value stands among all: exactly in a whole run, by the grid that the last whole run left otherwise."""

from __future__ import annotations

from collections.abc import Sequence

STEPS = 10_000


def among_themselves(predictions: str) -> str:
    """Return SQL that adds ``percentile`` (share of the scored that have less) to the rows of `predictions`."""
    return (
        "select *, case when value is not null "
        "then percent_rank() over (partition by value is not null order by value) end as percentile "
        f"from {predictions}"
    )


def within(predictions: str, grid: str) -> str:
    """Return SQL that adds ``percentile`` by looking each value up in `grid` (value, percentile)."""
    return (
        "select p.*, case when p.value is not null then coalesce(g.percentile, 0.0) end as percentile "
        f"from {predictions} p asof left join {grid} g on p.value >= g.value"
    )


def grid(ranked: str, limits: Sequence[float]) -> str:
    """Return SQL for the grid of `ranked` (value, percentile): `STEPS` steps, and exactly where each of `limits` begins."""
    steps = (
        f"select min(value) as value, min(percentile) as percentile "
        f"from (select value, percentile, ntile({STEPS}) over (order by value) as step from {ranked} where value is not null) "
        "group by step"
    )
    exact = [
        f"select min(value) as value, min(percentile) as percentile from {ranked} where percentile >= {limit}"
        for limit in sorted(set(limits))
    ]
    return f"select distinct value, percentile from ({' union all '.join([steps, *exact])}) where value is not null"
