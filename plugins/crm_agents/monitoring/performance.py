"""Realised performance of every model version, month by month: ``crm_ai.model_performance``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from crm_agents import horizons, lake, postgres
from crm_agents.company import Company
from crm_agents.model_catalog import MODELS, ModelSpec
from crm_agents.monitoring import outcomes
from crm_agents.monitoring.outcomes import Question

if TYPE_CHECKING:
    import duckdb

KEY = ("model", "model_version", "method", "month")
COUNTS = ("first_on", "last_on", "scores", "gone", "mean_score", "mean_outcome")
QUALITY = ("auc", "brier", "log_loss", "expected_calibration_error", "lift_top_10_percent", "lift_top_share")
ERRORS = ("root_mean_squared_error", "bias_share")
MEASURES = (*COUNTS, *QUALITY, *ERRORS)
CALIBRATION_BINS = 10


def evaluate(
    *,
    as_of: date,
    run_id: str,
    company: Company,
    models: Sequence[ModelSpec] = MODELS,
    first_on: date | None = None,
) -> int:
    """Judge every score that is due by `as_of` and bring ``crm_ai.model_performance`` up to date; return the rows written.

    Months whose last outcome fell due more than ``monitoring.late_outcome_days`` ago are closed and not judged anew.
    Doing it twice writes the same rows; a run for an older day leaves the rows of a newer one alone.

    Parameters
    ----------
    first_on : date, optional
        Judge anew from the month of this day on, closed or not.
    """
    written = 0
    with lake.connect(with_crm=True) as connection:
        for spec in models:
            if spec.outcome is None:
                continue
            if not _has_scores(spec):
                continue
            days = horizons.horizon_days(spec, company, as_of)
            start = first_on or _first_open_day(spec, as_of, days + company.monitoring.late_outcome_days)
            question = Question(spec, spec.outcome, start.replace(day=1), as_of, days)
            outcomes.join(connection, question)
            written += _write(question, run_id, company, judge(connection, question, company.behaviour.contact_share))
    return written


def judge(connection: duckdb.DuckDBPyConnection, question: Question, top_share: float) -> list[dict[str, Any]]:
    """Return the metrics of every model version and month in ``judged``, by column name (`KEY`, `MEASURES`)."""
    query = probability_metrics(top_share) if question.spec.unit == "probability" else amount_metrics()
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def probability_metrics(top_share: float) -> str:
    """Return the SELECT that turns buckets of ``judged`` into metrics.

    AUC is the rank statistic of Mann and Whitney (ties count half), calibration error the mean distance of predicted and
    observed rate over ten bins of equal size, lift the rate among the highest scores over the rate of all (a tie at the
    border counts in proportion, so that no order of rows matters).
    """
    group = "model_version, method, month"
    return f"""
        with running as (
            select *, sum(scores) over below as upto, sum(scores - positives) over below as negatives_upto,
                sum(scores) over month as total, sum(positives) over month as total_positives
            from judged where is_known
            window below as (partition by {group} order by bucket), month as (partition by {group})
        ),
        placed as (
            select *, least(floor((upto - scores + (scores - 1) / 2) * {CALIBRATION_BINS} / total), {CALIBRATION_BINS - 1})
                    as bin,
                positives * (negatives_upto - (scores - positives) / 2) as wins,
                positives / scores * least(greatest(ceil(0.1 * total) - (total - upto), 0), scores) as top_10_percent,
                positives / scores * least(greatest(ceil({top_share} * total) - (total - upto), 0), scores) as top_share
            from running
        ),
        bins as (
            select {group}, bin, any_value(total) as total, any_value(total_positives) as total_positives,
                abs(sum(sum_score) - sum(positives)) as distance, sum(wins) as wins, sum(sum_score) as sum_score,
                sum(sum_square) as sum_square, sum(sum_log) as sum_log, sum(top_10_percent) as top_10_percent,
                sum(top_share) as top_share, min(first_on) as first_on, max(last_on) as last_on
            from placed group by {group}, bin
        ),
        months as (
            select {group}, any_value(total) as n, any_value(total_positives) as p, sum(distance) as distance,
                sum(wins) as wins, sum(sum_score) as sum_score, sum(sum_square) as sum_square, sum(sum_log) as sum_log,
                sum(top_10_percent) as top_10_percent, sum(top_share) as top_share, min(first_on) as first_on,
                max(last_on) as last_on
            from bins group by {group}
        ),
        gone as (
            select {group}, sum(scores) as gone, min(first_on) as first_on, max(last_on) as last_on
            from judged where not is_known group by {group}
        )
        select {group}, least(m.first_on, g.first_on) as first_on, greatest(m.last_on, g.last_on) as last_on,
            coalesce(n, 0)::bigint as scores, coalesce(gone, 0)::bigint as gone,
            sum_score / n as mean_score, p / n as mean_outcome,
            case when p > 0 and p < n then wins / (p * (n - p)) end as auc,
            sum_square / n as brier, sum_log / n as log_loss, distance / n as expected_calibration_error,
            case when p > 0 then top_10_percent / ceil(0.1 * n) / (p / n) end as lift_top_10_percent,
            case when p > 0 then top_share / ceil({top_share} * n) / (p / n) end as lift_top_share,
            null as root_mean_squared_error, null as bias_share
        from months m full join gone g using ({group})
    """


def amount_metrics() -> str:
    """Return the SELECT that turns sums of ``judged`` into metrics of predicted amounts and counts."""
    nulls = ", ".join(f"null as {name}" for name in QUALITY)
    return f"""
        with months as (
            select model_version, method, month, min(first_on) as first_on, max(last_on) as last_on,
                coalesce(sum(scores) filter (is_known), 0) as n, coalesce(sum(scores) filter (not is_known), 0) as gone,
                sum(sum_score) filter (is_known) as predicted, sum(sum_outcome) filter (is_known) as actual,
                sum(sum_square) filter (is_known) as square
            from judged group by all
        )
        select model_version, method, month, first_on, last_on, n::bigint as scores, gone::bigint as gone,
            predicted / n as mean_score, actual / n as mean_outcome, {nulls},
            sqrt(square / n) as root_mean_squared_error,
            case when actual <> 0 then predicted / actual - 1 end as bias_share
        from months
    """


def _has_scores(spec: ModelSpec) -> bool:
    with postgres.connect() as crm:
        row = crm.execute("select exists (select from crm_ai.score_history where model = %s)", (spec.name,)).fetchone()
    return bool(row and row[0])


def _first_open_day(spec: ModelSpec, as_of: date, open_days: int) -> date:
    """Return from where on outcomes of scores may still be missing: all at first, later only of the months still open."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select (select coalesce(min(month) filter (where not is_complete), max(month) + interval '1 month')::date "
            "from crm_ai.model_performance where model = %(model)s), "
            "(select min(as_of) from crm_ai.score_history where model = %(model)s)",
            {"model": spec.name},
        ).fetchone()
    first_incomplete, first_scored = row or (None, None)
    if first_incomplete is None:
        return first_scored
    still_open = as_of - timedelta(days=open_days)
    return max(min(first_incomplete, still_open), first_scored)


def _write(question: Question, run_id: str, company: Company, rows: list[dict[str, Any]]) -> int:
    columns = (*KEY, "entity_type", "unit", "horizon_days", "top_share", *MEASURES, "is_complete", "as_of", "run_id")
    shared = {
        "model": question.spec.name,
        "entity_type": question.spec.entity_type,
        "unit": question.spec.unit,
        "horizon_days": question.horizon_days,
        "top_share": company.behaviour.contact_share,
        "as_of": question.as_of,
        "run_id": run_id,
    }
    values = [
        {**shared, **row, "is_complete": _month_end(row["month"]) <= question.last_on}
        for row in sorted(rows, key=lambda row: (row["month"], row["model_version"]))
    ]
    names, places = ", ".join(columns), ", ".join(f"%({name})s" for name in columns)
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in KEY)
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.executemany(
            f"insert into crm_ai.model_performance as old ({names}) values ({places}) on conflict ({', '.join(KEY)}) "
            f"do update set {updates}, updated_at = clock_timestamp() where excluded.as_of >= old.as_of",
            values,
        )
        return cursor.rowcount if values else 0


def _month_end(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
