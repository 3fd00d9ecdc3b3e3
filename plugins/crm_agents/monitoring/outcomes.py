"""Scores of the past joined to what happened since, in one pass over ``crm_ai.score_history``.

An entity's time is cut into intervals that end with its next event. Each score falls into exactly one of them, so a single
join by entity tells what came next, however often an event was delivered; a score of an entity that is no longer known falls
into none. Neither events up to the day of the score count nor any that are later than the day of the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from crm_agents.model_catalog import ModelSpec, OutcomeSource

if TYPE_CHECKING:
    import duckdb

# Scores closer than this count as equal, as in write-back; a month of any size then has at most a million different ones.
BUCKETS = 1_000_000
LONG_AGO, NEVER = "date '0001-01-01'", "date '9999-12-31'"


@dataclass(frozen=True)
class Question:
    """Which scores are judged: those of `model` from `first_on` on whose outcome was due by `as_of`."""

    spec: ModelSpec
    source: OutcomeSource
    first_on: date
    as_of: date
    horizon_days: int

    @property
    def last_on(self) -> date:
        """The newest day whose scores can be due."""
        return self.as_of - timedelta(days=self.horizon_days if self.source.due == "horizon" else 1)


def join(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Fill the temporary table ``judged`` (see `probability_query`, `amount_query`: the unit of the model decides).

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    """
    _read_intervals(connection, question)
    query = probability_query if question.spec.unit == "probability" else amount_query
    connection.execute(f"create or replace temp table judged as {query(question)}")


def _read_intervals(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Fill ``intervals``: entity_id, since (included), until (its next event, excluded), is_positive and total of that one.

    ``upto`` is the sum of amounts up to and including the event at `since`.
    """
    source = question.source
    # Where the horizon decides, only what counts as positive ends an interval; where the first event decides, any does.
    wanted = "is_positive" if source.due == "horizon" else "true"
    connection.execute(
        f"""
        create or replace temp table intervals as
        with known as (
            select distinct entity_id from ({source.entities})
        ),
        events as (
            select entity_id, happened_on, bool_or(is_positive) as is_positive, sum(amount)::double as amount
            from ({source.events})
            where happened_on > date '{question.first_on}' and happened_on <= date '{question.as_of}' and {wanted}
            group by entity_id, happened_on
        ),
        points as (
            select entity_id, {LONG_AGO} as since, null::boolean as is_positive, 0.0 as amount from known
            union all
            select entity_id, happened_on, is_positive, amount from events semi join known using (entity_id)
        )
        select entity_id, since, sum(amount) over each as upto,
            coalesce(lead(since) over each, {NEVER}) as until, lead(is_positive) over each as is_positive
        from points window each as (partition by entity_id order by since)
        """
    )


def probability_query(question: Question) -> str:
    """Return the SELECT of what came of probabilities.

    One row for each model_version, method, month, is_known and bucket (score in millionths): scores, positives,
    sum_score, sum_square (of score - outcome), sum_log (log loss), first_on and last_on.
    """
    if question.source.due == "horizon":
        happened = f"i.until <= s.as_of + {question.horizon_days}"
        due = "true"
    else:
        happened, due = "i.is_positive", f"i.until < {NEVER}"
    if question.source.is_lapse:
        happened = f"not ({happened})"
    return f"""
        with outcome as (
            select s.model_version, s.method, date_trunc('month', s.as_of)::date as month, s.as_of, s.value,
                i.entity_id is not null as is_known, coalesce({happened}, false) as happened
            from {scores(question)} s
            left join intervals i on i.entity_id = s.entity_id and s.as_of >= i.since and s.as_of < i.until
            where i.entity_id is null or {due}
        )
        select model_version, method, month, is_known, (value * {BUCKETS})::integer as bucket,
            count(*)::double as scores, (count(*) filter (happened))::double as positives,
            sum(value) as sum_score, sum((value - happened::integer) ** 2) as sum_square,
            sum(-ln(greatest(case when happened then value else 1 - value end, 1e-12))) as sum_log,
            min(as_of) as first_on, max(as_of) as last_on
        from outcome group by all
    """


def amount_query(question: Question) -> str:
    """Return the SELECT of what came of predicted amounts: the sum of amounts within the horizon.

    One row for each model_version, method, month and is_known: scores, sum_score, sum_outcome, sum_square, first_on, last_on.
    """
    return f"""
        with outcome as (
            select s.model_version, s.method, date_trunc('month', s.as_of)::date as month, s.as_of, s.value,
                i.entity_id is not null as is_known, j.upto - i.upto as amount
            from {scores(question)} s
            left join intervals i on i.entity_id = s.entity_id and s.as_of >= i.since and s.as_of < i.until
            left join intervals j on j.entity_id = s.entity_id and s.as_of + {question.horizon_days} >= j.since
                and s.as_of + {question.horizon_days} < j.until
        )
        select model_version, method, month, is_known, count(*)::double as scores, sum(value) as sum_score,
            sum(amount) as sum_outcome, sum((value - amount) ** 2) as sum_square,
            min(as_of) as first_on, max(as_of) as last_on
        from outcome group by all
    """


def scores(question: Question) -> str:
    """Return the relation of the scores in question."""
    return (
        "(select entity_id, as_of, value, coalesce(model_version, '') as model_version, coalesce(method, '') as method "
        f"from crm_db.crm_ai.score_history where model = '{question.spec.name}' and status = 'scored' "
        f"and as_of >= date '{question.first_on}' and as_of <= date '{question.last_on}')"
    )
