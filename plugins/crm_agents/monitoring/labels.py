"""Label shift: what came true of the newest scores that are due, against what they had predicted.

Seasons move what comes true although nothing is wrong. How far is learnt from the outcomes themselves, which reach further back
than any score: on past days, the rate at which the outcome came is compared with the rate on the days that a model trained
then would have learnt from. What last year's same season did is taken off.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from crm_agents.company import Company
from crm_agents.monitoring import outcomes
from crm_agents.monitoring.arrivals import YEAR_DAYS
from crm_agents.monitoring.limits import Measurement
from crm_agents.monitoring.outcomes import Question

if TYPE_CHECKING:
    import duckdb

STEP_DAYS = 7
CUTOFF_STEP_DAYS = 30
GROWN = 0.2  # share of today's population from which a past day is comparable
MIN_WINDOWS = 8  # past weeks without which nothing is known to be usual


def measure(connection: duckdb.DuckDBPyConnection, question: Question, company: Company) -> list[Measurement]:
    """Return two measurements of the newest days whose outcomes are due; nothing while too few are.

    ``predicted``: what came true of a window of scores against what they had predicted. ``rate``: how often the outcome came
    at all against the months before, which a model that follows every turn cannot hide.

    Parameters
    ----------
    question : Question
        Its first day is ignored: the window ends with its last due day.
    """
    if question.spec.unit != "probability" or question.source.due != "horizon":
        return []
    window = company.monitoring.window_days
    newest = replace(question, first_on=question.last_on - timedelta(days=window - 1))
    season = _seasons(connection, newest, company)
    if season is None:
        return []
    found = [_measurement(newest, company, "rate", season["value"], season, season["entities"])]
    outcomes.join(connection, newest)
    row: Any = connection.execute(
        "select sum(scores), sum(sum_score), sum(positives) from judged where is_known"
    ).fetchone()
    scores, predicted, happened = row
    if scores and scores >= company.monitoring.min_rows and predicted:
        value = math.log((happened + 0.5) / (predicted + 0.5)) - (season["last_year"] or 0.0)
        found.append(_measurement(newest, company, "predicted", value, season, scores))
    return found


def _measurement(
    question: Question, company: Company, name: str, value: float, season: dict[str, Any], rows: float
) -> Measurement:
    settings = company.monitoring
    return Measurement(
        kind="label",
        subject=question.spec.name,
        name=name,
        value=value,
        usual=season["usual"],
        spread=season["spread"],
        floor=math.log1p(settings.min_label_change if name == "rate" else settings.min_prediction_error),
        window_rows=int(rows),
        reference_rows=int(season["windows"]),
    )


def _seasons(connection: duckdb.DuckDBPyConnection, question: Question, company: Company) -> dict[str, Any] | None:
    """Return how the rate has moved by the newest due day, what it did a year before, and how it usually moves.

    The rate of a day is the share of those with an earlier event who have a positive one within the horizon; its move is
    against the days, 30 apart, that a model trained then would have learnt from. Past moves are measured in units of the
    sampling error of their day, because a company that grows gets surer of its rates. Days on which less than `GROWN` of today's
    population was there are left out: they tell of the company's beginning. None while there is too little of all that.
    """
    lags = ", ".join(
        str(question.horizon_days + CUTOFF_STEP_DAYS * number) for number in range(1, company.prediction.cutoffs + 1)
    )
    cursor = connection.execute(
        f"""
        with {_rates(question, company)},
        learnt as (
            select r.back, r.n, ln(r.rate / avg(t.rate)) as value, r.variance + avg(t.variance) / count(*) as variance
            from rates r join (select unnest([{lags}]) as lag) l on true join rates t on t.back = r.back + l.lag
            group by r.back, r.n, r.rate, r.variance having count(*) = {company.prediction.cutoffs}
        ),
        moved as (
            select l.back, l.n, l.value - coalesce(y.value, 0) as value, y.value as last_year,
                sqrt(l.variance + coalesce(y.variance, 0)) as deviation
            from learnt l left join learnt y on y.back = l.back + {YEAR_DAYS}
        ),
        today as (
            from moved where back = 0
        ),
        past as (
            select *, value / deviation as standardised from moved where back > {question.horizon_days} and back % {STEP_DAYS} = 0
                and (last_year is not null) = (select last_year is not null from today)
        )
        select any_value(t.n) as entities, any_value(t.value) as value, any_value(t.last_year) as last_year,
            median(p.value) as usual,
            any_value(t.deviation) * greatest(
                1, 1.4826 * mad(p.standardised), (quantile_cont(p.standardised, 0.95) - median(p.standardised)) / 1.645,
                (median(p.standardised) - quantile_cont(p.standardised, 0.05)) / 1.645
            ) as spread,
            count(p.back) as windows
        from today t left join past p on true
        """
    )
    names = [column[0] for column in cursor.description or ()]
    found = dict(zip(names, cursor.fetchone() or (), strict=True))
    return found if found["value"] is not None and found["windows"] >= MIN_WINDOWS else None


def _rates(question: Question, company: Company) -> str:
    """Return common table expressions up to ``rates`` (back, n, rate, variance): the rate of each day, `back` days ago.

    Each event moves two running sums, of those who have had one and of those whose next one comes within the horizon.
    """
    source, horizon = question.source, question.horizon_days
    hits = "(n - hits)" if source.is_lapse else "hits"
    # Of a lapse only those are in question who have had an event within the horizon; of anything else whoever ever had one.
    over = f"happened_on + {horizon + 1}" if source.is_lapse else "null::date"
    return f"""
        events as (
            select distinct entity_id, happened_on from ({source.events})
            where is_positive and happened_on <= date '{question.as_of}'
        ),
        spans as (
            -- an event counts its entity in from its day on, until the next event or until it is `over`
            select happened_on, lead(happened_on) over each as next_on, {over} as over_on
            from events window each as (partition by entity_id order by happened_on)
        ),
        gaps as (
            -- from `since` on, and before `until`, the event at `next_on` is the next one and within the horizon
            select happened_on, least(next_on, over_on) as until,
                case when next_on is not null then greatest(happened_on, next_on - {horizon}) end as since
            from spans
        ),
        changes as (
            select happened_on as day, 1 as people, 0 as hits from gaps
            union all select until, -1, 0 from gaps where until is not null
            union all select since, 0, 1 from gaps where since < until
            union all select until, 0, -1 from gaps where since < until
        ),
        daily as (
            select day, sum(people) as people, sum(hits) as hits from changes group by day
        ),
        grid as (
            select date '{question.last_on}' - back::integer as day, back
            from (select unnest(range(date_diff('day', min(day), date '{question.last_on}') + 1)) as back from daily)
        ),
        running as (
            select back, sum(coalesce(people, 0)) over upto as n, sum(coalesce(hits, 0)) over upto as hits
            from grid left join daily using (day) window upto as (order by day)
        ),
        rates as (
            select back, n, ({hits} + 0.5) / (n + 1) as rate, (n - {hits} + 0.5) / (n + 1) / ({hits} + 0.5) as variance
            from running
            where n >= greatest({company.monitoring.min_rows}, {GROWN} * (select n from running where back = 0))
        )
    """.strip()
