"""Drift of what a champion reads and of the scores it gives, against the days that it was trained and judged on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from crm_agents import registry, training_data
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.model_catalog import ModelSpec
from crm_agents.monitoring.arrivals import GROUPS, step_of, step_order
from crm_agents.monitoring.limits import Measurement

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

# An index over ten groups is settled long before this; the same entities are taken on every day.
SAMPLE_ROWS = 20_000
SCORE = "score"
# Of seven normal values the largest lies 1.35 standard deviations above the median, on average.
LARGEST_OF_FEW = 1.35


def measure(connection: duckdb.DuckDBPyConnection, spec: ModelSpec, as_of: date, company: Company) -> list[Measurement]:
    """Return how far every input of the champion, and its scores, have moved from what it was trained and judged on.

    Empty while there is no champion, or no features of a day that is at most a window old. What is usual is learnt from the
    training days themselves: each one against the others, which holds seasons and what grows with time.
    """
    version = registry.champion(spec.name, as_of)
    if version is None or version.trained_as_of is None:
        return []
    day = _newest_day(connection, spec, as_of, company.monitoring.window_days)
    if day is None:
        return []
    try:
        model = registry.load(version)
        days = _reference_days(company, version.trained_as_of, model.horizon_days)
        population = spec.of(model.horizon_days)
        frame = _read(connection, spec, population, list(model.features), [day, *days])
        frame[SCORE] = model.predict(frame)
    except CrmAgentsError as error:
        print(f"{spec.name}: {error}")  # the agent that serves it fails and says so; there is nothing to compare
        return []
    connection.register("model_inputs", frame)
    rows = connection.execute(_query(list(model.features), day)).fetchall()
    return [_measurement(spec, row, company) for row in rows if row[5] >= company.monitoring.min_rows]


def _newest_day(connection: duckdb.DuckDBPyConnection, spec: ModelSpec, as_of: date, window: int) -> date | None:
    row = connection.execute(
        f"select max(as_of) from {spec.features_table} where as_of <= ? and as_of > ?",
        [as_of, as_of - timedelta(days=window)],
    ).fetchone()
    return row[0] if row else None


def _reference_days(company: Company, trained_as_of: date, horizon_days: int) -> list[date]:
    first_on = training_data.first_purchase_on(trained_as_of)
    days = training_data.cutoffs(company, trained_as_of, first_on, horizon_days)
    return [days.test, *days.train]


def _read(
    connection: duckdb.DuckDBPyConnection, spec: ModelSpec, population: str, features: list[str], days: list[date]
) -> pd.DataFrame:
    entity = spec.module("config").ENTITY
    chosen = ", ".join(f"date '{day}'" for day in days)
    where = f"as_of in ({chosen}) and {population}"
    row: Any = connection.execute(
        f"select max(n) from (select count(*) as n from {spec.features_table} where {where} group by as_of)"
    ).fetchone()
    share = int(10_000 * min(1.0, SAMPLE_ROWS / max(row[0] or 0, 1)))
    names = ", ".join(f'"{name}"' for name in features)
    return connection.execute(
        f"select as_of, {names} from {spec.features_table} where {where} and hash({entity}) % 10000 < {share}"
    ).df()


def _query(features: list[str], day: date) -> str:
    """Return the SELECT of name, index today, median and spread of the index among reference days, and rows.

    The index of a day is taken against all other reference days together; groups are tenths of those.
    """
    names = [*features, SCORE]
    values = ", ".join(f'"{name}"::double as "{name}"' for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    return f"""
        with long as (
            select day, name, value from (select as_of::date as day, {values} from model_inputs)
                unpivot include nulls (value for name in ({listed}))
        ),
        counted as (
            select name, day, {step_of("value")} as bucket, count(*)::double as n from long group by all
        ),
        cells as (
            select name, day, bucket, coalesce(n, 0) as n
            from (select distinct name, bucket from counted) cross join (select distinct day from counted)
            left join counted using (name, day, bucket)
        ),
        compared as (
            select *, sum(n) filter (day <> date '{day}') over (partition by name, bucket)
                - case when day <> date '{day}' then n else 0 end as reference
            from cells
        ),
        placed as (
            select name, day, n, reference,
                least(floor((sum(reference) over upto - reference / 2) / nullif(sum(reference) over whole, 0) * {GROUPS}),
                    {GROUPS - 1}) as part
            from compared
            window whole as (partition by name, day), upto as (partition by name, day order by {step_order("bucket")})
        ),
        parts as (
            select name, day, part, sum(n) as n, sum(reference) as reference from placed where part is not null group by all
        ),
        shares as (
            select *, (n + 0.5) / sum(n + 0.5) over cell as share,
                (reference + 0.5) / sum(reference + 0.5) over cell as reference_share
            from parts window cell as (partition by name, day)
        ),
        moved as (
            select name, day, sqrt(sum((share - reference_share) * ln(share / reference_share))) as value,
                sum(n)::bigint as n, sum(reference)::bigint as reference
            from shares group by name, day
        )
        select name, max(value) filter (day = date '{day}'), median(value) filter (day <> date '{day}'),
            max(value) filter (day <> date '{day}'), 1.4826 * mad(value) filter (day <> date '{day}'),
            max(n) filter (day = date '{day}'), max(reference) filter (day = date '{day}')
        from moved group by name having max(value) filter (day = date '{day}') is not null
            and max(reference) filter (day = date '{day}') > 0
        order by name
    """


def _measurement(spec: ModelSpec, row: tuple[Any, ...], company: Company) -> Measurement:
    name, value, usual, largest, deviation, rows, reference = row
    spread = None if usual is None else max((largest - usual) / LARGEST_OF_FEW, deviation or 0.0)
    return Measurement(
        kind="score" if name == SCORE else "input",
        subject=spec.name,
        name="" if name == SCORE else name,
        value=value,
        usual=usual,
        spread=spread,
        floor=company.monitoring.min_input_psi**0.5,
        window_rows=rows,
        reference_rows=reference,
    )
