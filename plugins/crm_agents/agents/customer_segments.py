"""The customer segment agent: which groups the customers fall into, who belongs where, and who moved.

Segments are fitted once a day from the features of all buyers, compared with each other and matched to those of the run before,
so that ids and names stay. Later runs of the same day only assign the customers whose features changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents import lake, postgres, registry, segments, writeback
from crm_agents.agents import customers, scope
from crm_agents.agents.frame import (
    AgentRun,
    BlastRadius,
    Decided,
    Evaluated,
    Executed,
    Perceived,
    Readiness,
    Understood,
)
from crm_agents.company import Company

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from models_ml.segments.segmentation import Segmentation

AGENT = "customer_segment_agent"
METHOD = "segments"  # there is no version: the run fits its own
PREDICTIONS = "predictions.customer_segments"
DECISIONS = "predictions.customer_segment_decisions"
FITTED = "predictions.customer_segmentations"
COMPARED = {DECISIONS: ("customer_id",)}
WORKING_TABLES = (PREDICTIONS, DECISIONS)  # what was fitted stays: the next run continues it, however late it comes


def perceive(run: AgentRun, company: Company) -> Perceived:
    """Look who is there: one buyer is enough (for one segment, which says so)."""
    found = customers.at(run.as_of)
    if not found.buyers:
        reason = f"None of the {found.everybody:,} customers has bought anything up to {run.as_of}."
    else:
        reason = f"{found.buyers:,} of {found.everybody:,} customers have bought at least once."
    return Perceived(found.everybody, found.buyers, found.buyers > 0, reason)


def champion_readiness(run: AgentRun) -> Readiness:
    """Segments need no champion: whether a grouping holds is found out, and said, where it is fitted."""
    return Readiness("ready", "Segments are fitted in the run itself.")


def understand(run: AgentRun, company: Company) -> Understood:
    """Fit the day's segments (or recall those of the day's whole run), and assign every buyer that the run works on."""
    with lake.connect() as connection:
        settled = scope.settle(connection, run, company, customers.FEATURES, {"segments": METHOD})
        rows = f"{settled.rows(customers.FEATURES)} where as_of = date '{run.as_of}'"
        frame = connection.execute(f"select * from {rows} and has_purchased order by customer_id").df()
        fitted = _fit(frame, run) if settled.is_whole else segments.read(connection, FITTED, settled.whole_run)
        frame = frame[["customer_id"]].join(fitted.assign(frame))
        connection.register("assigned", frame)
        lake.replace_rows(
            connection,
            PREDICTIONS,
            run.run_id,
            f"select '{run.run_id}' as run_id, customer_id, a.segment_id::integer as segment_id, "
            "a.segment_name::varchar as segment_name, a.closeness::double as closeness, "
            "case when a.segment_id is null then 'not_scored' else 'scored' end as status, "
            f"case when a.segment_id is null then '{customers.NO_PURCHASE_YET}' end as status_reason, as_of, "
            f"recency_days, purchases_365d, revenue_365d from (from {rows}) left join assigned a using (customer_id)",
        )
    return Understood(PREDICTIONS, len(frame), 0, fitted.method, METHOD)


def not_scored(run: AgentRun, reason: str) -> Understood:
    """Prepare the honest answer where nobody has bought yet: every customer without a segment, and with the reason."""
    quoted = reason.replace("'", "''")
    with lake.connect() as connection:
        lake.replace_rows(
            connection,
            PREDICTIONS,
            run.run_id,
            f"select '{run.run_id}' as run_id, customer_id, null::integer as segment_id, null::varchar as segment_name, "
            f"null::double as closeness, 'not_scored' as status, '{quoted}' as status_reason, as_of, recency_days, "
            f"purchases_365d, revenue_365d from {customers.FEATURES} where as_of = date '{run.as_of}'",
        )
    everybody = customers.at(run.as_of).everybody
    return Understood(PREDICTIONS, 0, everybody, "none", METHOD)


def decide(run: AgentRun, company: Company) -> Decided:
    """Give each customer the nearest segment, with the reason in a sentence."""
    with lake.connect() as connection:
        lake.replace_rows(
            connection,
            DECISIONS,
            run.run_id,
            "select run_id, customer_id, segment_id, segment_name, closeness, status, status_reason, as_of, "
            f"case when segment_id is not null then {segments.reason_sql(company.currency)} end as reason "
            f"from {PREDICTIONS} where run_id = '{run.run_id}'",
        )
        counts = connection.execute(
            f"select coalesce(segment_name, 'none'), count(*) from {DECISIONS} where run_id = ? group by 1 order by 1",
            [run.run_id],
        ).fetchall()
    return Decided(DECISIONS, dict(counts), sum(count for _, count in counts))


def blast_radius(run: AgentRun, company: Company) -> BlastRadius:
    """Say how many customers would move between segments, and whether that needs a person's approval."""
    if run.is_backfill:
        return BlastRadius("A backfill writes nothing that stands.", False)
    with lake.connect(with_crm=True) as connection:
        return segments.blast_radius(connection, run, company.write_back, DECISIONS)


def execute(run: AgentRun, company: Company) -> Executed:
    """Write the segments that changed (with ledger), and the moves; safe to repeat after a crash at any point."""
    if run.is_backfill:
        return Executed(0, 0, 0, 0)
    with lake.connect(with_crm=True) as connection:
        connection.execute(
            f"create or replace temp view incoming as select * from {DECISIONS} where run_id = '{run.run_id}'"
        )
        counts = writeback.write_back(connection, segments.TARGET, "incoming", run_id=run.run_id)
    segments.write_moves(run)
    return Executed(counts.inserted, counts.updated, counts.unchanged, 0)


def explain(run: AgentRun, company: Company) -> int:
    """Log how the segments were chosen, as a picture and as text, in MLflow; a run that fitted none logs nothing."""
    works_on = scope.recall(run)
    if works_on is None or not works_on.is_whole or run.is_backfill:
        return 0
    with lake.connect() as connection:
        fitted = segments.read(connection, FITTED, run.run_id)
        chart = segments.read_chart(connection, FITTED, run.run_id)
    registry.log_run(
        "customer_segments",
        name=f"customer_segments {run.as_of}",
        numbers={"segments": len(fitted.segments)},
        files={
            "choice.png": chart,
            "choice.txt": fitted.reason.encode(),
            "segmentation.json": fitted.to_json().encode(),
        },
        tags={"as_of": run.as_of.isoformat(), "run_id": run.run_id, "method": fitted.method},
    )
    return len(fitted.segments)


def evaluate(run: AgentRun, company: Company) -> Evaluated:
    """Write the profile of each segment: who they are, what they bring, who moved in and out that day."""
    works_on = scope.recall(run)
    if works_on is None or not works_on.is_whole or run.is_backfill:
        return Evaluated(0, {})
    with lake.connect() as connection:
        fitted = segments.read(connection, FITTED, run.run_id)
        frame = _buyers(connection, works_on, run)
    found = segments.write_profiles(run, frame, fitted)
    return Evaluated(0, {name: {"customers": count, "revenue_share": share} for name, count, share in found})


def _fit(frame: pd.DataFrame, run: AgentRun) -> Segmentation:
    """Fit, continue the last run's segments, and keep what came of it in the lake (unless this repeats an earlier run)."""
    from models_ml.segments import profiles, segmentation

    fitted = segmentation.fit(frame, _last(run))
    if run.decided_before is None:
        with lake.connect() as connection:
            segments.keep(connection, FITTED, run, fitted, profiles.choice_chart(fitted))
    return fitted


def _last(run: AgentRun) -> Segmentation | None:
    """Return the segments of the last whole run before this one that wrote its results and was not taken back."""
    began = (
        "coalesce(%s, (select started_at from crm_ai.agent_runs where (run_id, agent) = (%s, %s)), clock_timestamp())"
    )
    with postgres.connect() as crm:
        row = crm.execute(
            "select run_id from crm_ai.agent_runs where agent = %s and as_of <= %s and run_id <> %s "
            f"and status in ('written', 'done') and basis ->> 'whole_run' = run_id and started_at < {began} "
            "order by as_of desc, started_at desc limit 1",
            (AGENT, run.as_of, run.run_id, run.decided_before, run.run_id, AGENT),
        ).fetchone()
    if row is None:
        return None
    with lake.connect() as connection:
        return segments.read(connection, FITTED, row[0])


def _buyers(connection: duckdb.DuckDBPyConnection, works_on: scope.Scope, run: AgentRun) -> pd.DataFrame:
    rows = f"{works_on.rows(customers.FEATURES)} where as_of = date '{run.as_of}' and has_purchased"
    return connection.execute(f"select * from {rows} order by customer_id").df()
