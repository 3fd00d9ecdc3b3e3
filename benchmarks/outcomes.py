"""Joining what happened to 10,000,000 scores, and the metrics that follow: the goal is 30 s on two cores.

    .venv/bin/python benchmarks/outcomes.py [--scores 10000000] [--customers 1000000]

Starts a PostgreSQL of its own in a temporary folder, fills ``crm_ai.score_history`` and ``marts.fct_orders`` with made-up rows,
and times, in the same run:

* floor: reading the scores out of PostgreSQL into DuckDB, joining them by customer and day to a finished table of outcomes,
  and counting: nothing that tells what happened is worked out, and no metric is;
* ours: ``monitoring.performance`` from the tables to the metrics.

The number of scores, outcomes and the Brier score must be equal in both; AUC is compared with scikit-learn's on a sample.
"""

from __future__ import annotations

import argparse
import time
from datetime import date, timedelta

import duckdb
from temporary_home import temporary_installation

from crm_agents import lake, postgres
from crm_agents.company import Company
from crm_agents.model_catalog import find_model
from crm_agents.monitoring import outcomes, performance
from crm_agents.monitoring.outcomes import Question

COMPANY = Company(name="benchmark", title="Benchmark", prediction={"horizon_days": 30})
FIRST_DAY = date(2026, 3, 2)
MODEL = "purchase_propensity"
FLOOR = """
    with judged as (
        select s.value, coalesce(t.happened, false) as happened
        from {scores} s left join truth t on t.entity_id = s.entity_id and t.as_of = s.as_of
    )
    select count(*), count(*) filter (happened), avg((value - happened::integer) ** 2) from judged
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with temporary_installation("outcomes"):
        fill(arguments.scores, arguments.customers)
        days = -(-arguments.scores // arguments.customers)
        question = Question(
            find_model(MODEL),
            find_model(MODEL).outcome,
            FIRST_DAY.replace(day=1),
            FIRST_DAY + timedelta(days=days + 60),
            30,
        )
        with lake.connect(with_crm=True) as connection:
            prepare_truth(connection)
            floor_seconds, floor = timed(
                lambda: connection.execute(FLOOR.format(scores=outcomes.scores(question))).fetchone()
            )
            seconds, rows = timed(lambda: ours(connection, question))
            check(connection, question, floor, rows)
        print(f"floor (read, join to finished outcomes, count): {floor_seconds:.1f} s")
        print(
            f"ours (work out outcomes, join, metrics):        {seconds:.1f} s = {seconds / floor_seconds:.2f} x floor"
        )


def ours(connection: duckdb.DuckDBPyConnection, question: Question) -> list[dict]:
    """Join and judge."""
    outcomes.join(connection, question)
    return performance.judge(connection, question, COMPANY.behaviour.contact_share)


def timed(work):
    """Return the seconds that `work` took, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def fill(scores: int, customers: int) -> None:
    """Write the scores of consecutive days, every customer once a day, and orders over the time around them."""
    days = -(-scores // customers)
    with postgres.connect() as crm:
        crm.execute("set synchronous_commit = off")
        crm.execute(
            f"""
            insert into crm_ai.score_history (entity_type, entity_id, model, as_of, value, unit, status, method,
                model_version, run_id)
            select 'customer', 'C' || lpad(customer::text, 7, '0'), '{MODEL}', date '{FIRST_DAY}' + day,
                power(random(), 3), 'probability', 'scored', 'champion', (1 + day / 4)::text, 'run-' || day
            from generate_series(0, {customers - 1}) customer, generate_series(0, {days - 1}) day
            limit {scores}
            """
        )
    with postgres.connect(autocommit=True) as crm:
        crm.execute("vacuum analyze crm_ai.score_history")
    with lake.connect() as connection:
        connection.execute(
            "create table marts.dim_customers as select 'C' || lpad(i::varchar, 7, '0') as customer_id "
            f"from range({customers}) t(i)"
        )
        connection.execute(
            f"create table marts.fct_orders as select 'C' || lpad((hash(i) % {customers})::varchar, 7, '0') as customer_id, "
            f"date '{FIRST_DAY}' - 30 + (hash(i + 7) % 100)::integer as ordered_on, true as is_purchase, "
            f"10.0::decimal(38, 4) as revenue_amount from range({2 * customers}) t(i)"
        )


def prepare_truth(connection: duckdb.DuckDBPyConnection) -> None:
    """Work out by brute force, outside of the measured time, which scores came true."""
    connection.execute(
        "create temp table truth as select distinct o.customer_id as entity_id, d.as_of, true as happened "
        "from marts.fct_orders o join (select unnest(generate_series(0, 60))::integer + "
        f"date '{FIRST_DAY}' as as_of) d on o.ordered_on > d.as_of and o.ordered_on <= d.as_of + 30"
    )


def check(connection: duckdb.DuckDBPyConnection, question: Question, floor: tuple, rows: list[dict]) -> None:
    """Stop when both ways do not give the same, or AUC is not scikit-learn's."""
    from sklearn.metrics import roc_auc_score

    scores = sum(row["scores"] for row in rows)
    positives = sum(row["scores"] * row["mean_outcome"] for row in rows)
    brier = sum(row["scores"] * row["brier"] for row in rows) / scores
    assert scores == floor[0], (scores, floor)
    assert round(positives) == floor[1], (positives, floor)
    assert abs(brier - floor[2]) < 1e-9, (brier, floor)
    version = rows[0]["model_version"]
    sample = connection.execute(
        f"select s.value, coalesce(t.happened, false) as happened from {outcomes.scores(question)} s "
        "left join truth t on t.entity_id = s.entity_id and t.as_of = s.as_of "
        f"where s.model_version = '{version}' and date_trunc('month', s.as_of) = date '{rows[0]['month']}'"
    ).df()
    auc = roc_auc_score(sample["happened"], sample["value"])
    assert abs(auc - rows[0]["auc"]) < 1e-6, (auc, rows[0]["auc"])
    print(f"{scores:,} scores, {positives:,.0f} came true, Brier {brier:.6f}: equal; AUC {auc:.6f}: scikit-learn's")


if __name__ == "__main__":
    main()
