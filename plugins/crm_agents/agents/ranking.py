"""Where a measure stands among all: exactly in a whole run, by the grid that the last whole run left otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STEPS = 10_000


@dataclass(frozen=True)
class Ranking:
    """What is ranked.

    Attributes
    ----------
    measure : str
        Column of the rows to be ranked; rows without it have no rank.
    percentile : str
        Column that is added: the share of the ranked that have less (0 to 1).
    limits : sequence of float
        Percentiles at which something changes: a grid says exactly where they begin.
    """

    measure: str
    percentile: str
    limits: Sequence[float] = ()


def among_themselves(rows: str, ranking: Ranking) -> str:
    """Return SQL that adds the percentile of `ranking` to `rows`, ranked among each other."""
    it = ranking.measure
    return (
        f"select *, case when {it} is not null then percent_rank() over (partition by {it} is not null order by {it}) "
        f"end as {ranking.percentile} from {rows}"
    )


def within(rows: str, ranking: Ranking, grid: str) -> str:
    """Return SQL that adds the percentile of `ranking` to `rows` by looking each one up in `grid` (see `grid`)."""
    it = ranking.measure
    return (
        f"select p.*, case when p.{it} is not null then coalesce(g.percentile, 0.0) end as {ranking.percentile} "
        f"from {rows} p asof left join (select value, percentile from {grid} where measure = '{it}') g on p.{it} >= g.value"
    )


def graded(rows: str, bands: Mapping[Any, float]) -> str:
    """Return SQL that adds the grade letter to `rows` (value, percentile): the first of A, B, C whose band it reaches, else D."""
    letters = " ".join(f"when percentile >= {bands[letter]} then '{letter}'" for letter in ("A", "B", "C"))
    return f"select *, case when value is not null then case {letters} else 'D' end end as grade from {rows}"


def grid(ranked: str, ranking: Ranking) -> str:
    """Return SQL for the grid (measure, value, percentile) of `ranked`: `STEPS` steps, and exactly where each limit begins."""
    it, percentile = ranking.measure, ranking.percentile
    lowest = f"select min({it}) as value, min({percentile}) as percentile from"
    step = f"ntile({STEPS}) over (order by {it}) as step"
    queries = [f"{lowest} (select *, {step} from {ranked} where {it} is not null) group by step"]
    queries += [f"{lowest} {ranked} where {percentile} >= {limit}" for limit in sorted(set(ranking.limits))]
    return f"select distinct '{it}' as measure, value, percentile from ({' union all '.join(queries)}) where value is not null"
