"""What agents bring, against customers who were left alone by lot: ``crm_ai.lift``."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from crm_agents import lake, postgres
from crm_agents.monitoring.decision_outcomes import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import psycopg

    from models_ml.lift.compare import Lift

YEAR_DAYS = 365
LATEST = f"last_{YEAR_DAYS}_days"
KEY = ("agent", "action", "compared_with", "measure", "period")
VALUES = (
    "first_on", "last_on", "treated", "compared", "gone", "effective_treated", "effective_compared", "effect", "lo95", "hi95",
    "total", "reason", "as_of", "run_id",
)  # fmt: skip
NO_ARMS = "No customer was left alone by lot, so what this agent brings is not known."
ARMED = "arm in ('treatment', 'control', 'business_as_usual')"
DUE = (
    f"outcome is not null and outcome <> 'undone' and (outcome_value is not null or outcome in {UNKNOWN}) "
    "and outcome_due_at <= %(as_of)s and as_of >= %(first_on)s"
)
# What was done costs nothing where nothing was done, be it chosen or because consent stood against it.
DECISIONS = f"""
    with due as (
        select * from crm_ai.decisions where {ARMED} and {DUE}
    ),
    before as (
        select agent, entity_type, entity_id, min(as_of) as first_decided_on
        from crm_ai.decisions where {ARMED} and outcome is distinct from 'undone' and as_of <= %(as_of)s group by 1, 2, 3
    )
    select agent, entity_type, entity_id, arm, chosen, propensity, as_of, outcome_value, outcome = 'gone' as is_gone,
        (options -> 'allowed')::text as allowed,
        case when chosen = 'do_nothing' or blocked_by is not null then 0
            when jsonb_typeof(options -> 'cost' -> chosen) = 'number' then (options -> 'cost' ->> chosen)::float8
        end as cost,
        first_decided_on, to_char(as_of, 'YYYY-MM') as month
    from due join before using (agent, entity_type, entity_id)
    order by agent, entity_type, entity_id, as_of, decision_id
"""
# What customers had ordered by a day, whatever became of it later: that was known on the day.
EARLIER_REVENUE = """
    with moments as (
        select entity_id, as_of::date as day from decisions union select entity_id, first_decided_on::date from decisions
    ),
    earlier as (
        select entity_id, day, {sums}
        from moments
        join marts.fct_orders o on o.customer_id = entity_id and o.ordered_on <= day and o.ordered_on > day - {longest}
        where o.is_sale group by entity_id, day
    )
    select {columns} from decisions d
    left join earlier a on a.entity_id = d.entity_id and a.day = d.first_decided_on
    left join earlier e on e.entity_id = d.entity_id and e.day = d.as_of
    order by d.place
"""


def evaluate(*, as_of: date, run_id: str) -> int:
    """Work out the lift of the last 365 days, and of each of their months, from outcomes due by `as_of`; return the rows written.

    Doing it twice writes the same rows; a run for an older day leaves the rows of a newer one alone. Rows of these periods that
    no decision stands behind any more (a run was undone) are deleted.
    """
    first_on = (as_of - timedelta(days=YEAR_DAYS - 1)).replace(day=1)
    rows = [*_of_arms(read(first_on, as_of), as_of), *_without_arms(as_of)]
    days = [first_on + timedelta(days=number) for number in range((as_of - first_on).days + 1)]
    periods = sorted({LATEST, *(f"{day:%Y-%m}" for day in days)})
    with postgres.connect() as crm, crm.cursor() as cursor:
        return _write(cursor, [{**row, "as_of": as_of, "run_id": run_id} for row in rows], periods, as_of)


def read(first_on: date, as_of: date) -> pd.DataFrame:
    """Return the decisions since `first_on` in any arm whose outcome was due by `as_of`, as `models_ml.lift.compare` reads them.

    Columns of their own: agent, entity_type, as_of, month (YYYY-MM), and is_gone for customers erased since.
    """
    import json

    import pandas as pd

    with postgres.connect() as crm:
        cursor = crm.execute(DECISIONS, {"first_on": first_on, "as_of": as_of})
        names = [column.name for column in cursor.description or ()]
        decisions = pd.DataFrame(cursor.fetchall(), columns=names)
    found = {text: json.loads(text) for text in decisions["allowed"].dropna().unique()}
    sets = {text: frozenset(it) if isinstance(it, list) else None for text, it in found.items()}
    decisions["allowed"] = decisions["allowed"].map(sets)
    return _with_earlier_revenue(decisions)


def _with_earlier_revenue(decisions: pd.DataFrame) -> pd.DataFrame:
    """Add what customers ordered before: 0 where nothing is known, as for other entities."""
    from models_ml.lift.compare import BEFORE, BEFORE_ARMS
    from models_ml.lift.config import BEFORE_DAYS

    columns = [*BEFORE_ARMS, *BEFORE]
    with lake.connect() as connection:
        tables = "select count(*) from duckdb_tables() where schema_name = 'marts' and table_name = 'fct_orders'"
        if decisions.empty or connection.execute(tables).fetchall() == [(0,)]:
            return decisions.assign(**dict.fromkeys(columns, 0.0))
        keys = decisions[["entity_id", "as_of", "first_decided_on"]].assign(place=range(len(decisions)))
        connection.register("decisions", keys.astype({"as_of": "datetime64[s]", "first_decided_on": "datetime64[s]"}))
        query = EARLIER_REVENUE.format(
            sums=", ".join(
                f"coalesce(sum(sale_net_amount) filter (ordered_on > day - {days}), 0)::double as days_{days}"
                for days in BEFORE_DAYS
            ),
            longest=max(BEFORE_DAYS),
            columns=", ".join(
                f"coalesce({side}.days_{days}, 0) as {name}"
                for side, names in (("a", BEFORE_ARMS), ("e", BEFORE))
                for days, name in zip(BEFORE_DAYS, names, strict=True)
            ),
        )
        found = connection.execute(query).df()
    return decisions.assign(**{name: found[name].to_numpy() for name in columns})


def _of_arms(decisions: pd.DataFrame, as_of: date) -> Iterator[dict[str, Any]]:
    """Yield the rows of every agent and period that has decisions in arms."""
    from models_ml.lift.compare import lifts

    is_latest = decisions["as_of"] > as_of - timedelta(days=YEAR_DAYS)
    parts = [(LATEST, decisions[is_latest]), *((str(month), part) for month, part in decisions.groupby("month"))]
    for period, rows in parts:
        for agent, mine in rows.groupby("agent"):
            known, gone = mine[~mine["is_gone"]], int(mine["is_gone"].sum())
            said = {"agent": str(agent), "period": period, "gone": gone}
            said |= {"first_on": mine["as_of"].min(), "last_on": mine["as_of"].max()}
            yield from ({**said, **_row(it)} for it in lifts(known))


def _row(it: Lift) -> dict[str, Any]:
    effect = it.effect
    return {
        "action": it.action,
        "compared_with": it.compared_with,
        "measure": it.measure,
        "treated": effect.treated,
        "compared": effect.compared,
        "effective_treated": effect.effective_treated,
        "effective_compared": effect.effective_compared,
        "effect": effect.value,
        "lo95": effect.low,
        "hi95": effect.high,
        "total": it.total,
        "reason": effect.reason,
    }


def _without_arms(as_of: date) -> list[dict[str, Any]]:
    """Return a row with a reason for each agent whose outcomes of the last 365 days are all of decisions without arms."""
    with postgres.connect() as crm:
        found = crm.execute(
            f"select agent, min(as_of), max(as_of), count(outcome_value), count(*) filter (where outcome = 'gone') "
            f"from crm_ai.decisions where {DUE} group by agent having count(*) filter (where {ARMED}) = 0",
            {"first_on": as_of - timedelta(days=YEAR_DAYS - 1), "as_of": as_of},
        ).fetchall()
    same: dict[str, Any] = {
        "action": "all",
        "compared_with": "control",
        "measure": "revenue",
        "period": LATEST,
        "reason": NO_ARMS,
    }
    same |= dict.fromkeys(("effect", "lo95", "hi95", "total")) | {
        "compared": 0,
        "effective_treated": 0,
        "effective_compared": 0,
    }
    return [
        {**same, "agent": agent, "first_on": first, "last_on": last, "treated": known, "gone": gone}
        for agent, first, last, known, gone in found
    ]


def _write(cursor: psycopg.Cursor, rows: list[dict[str, Any]], periods: list[str], as_of: date) -> int:
    """Write the rows in one transaction, after the older ones of these periods; return how many were written."""
    cursor.execute("delete from crm_ai.lift where period = any(%s) and as_of <= %s", [periods, as_of])
    columns = (*KEY, *VALUES)
    cursor.executemany(
        f"insert into crm_ai.lift ({', '.join(columns)}) values ({', '.join(f'%({name})s' for name in columns)}) "
        f"on conflict ({', '.join(KEY)}) do nothing",
        rows,
    )
    return max(cursor.rowcount, 0)
