"""Each stage from the CRM to the score beside its own floor, in one run, with equal results on both sides.

    .venv/bin/python benchmarks/pipeline.py --customers 20000
    .venv/bin/python benchmarks/pipeline.py --customers 1000000 [--stages write-back]

Starts PostgreSQL and MLflow when they are down (Airflow must be: it would ingest the changes itself). Loads and scores a
simulated company of --customers when another one (or none) is there. Each stage and each floor runs in a process of its own with
the heavy libraries already imported, as an Airflow task does; see STAGES for what is compared with what.
"""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from changes import change
from processes import apart, timed
from rich.console import Console
from rich.table import Table

from crm_agents import postgres
from crm_agents.settings import load_settings
from crm_agents.stack import control
from crm_agents.stack.warm import LIBRARIES

console = Console(width=150)
RUN = "benchmark-pipeline"
MODEL = "purchase_propensity"
BENCH_SCORES = "crm_ai.benchmark_scores"
MODELS_COMPARED = ("fct_order_items", "fct_orders", "fct_interactions", "fct_sales_daily", "ftr_customers")
Result = tuple[float, Any]


class Stage(NamedTuple):
    """A stage and its floor; both return seconds and a result, which must be the same."""

    name: str
    ours: Callable[[], Result]
    floor_is: str
    floor: Callable[[], Result]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--changed", type=int, default=10_000, help="customers with a new order (ingest stage)")
    parser.add_argument("--stages", default="", help="only those whose name begins so")
    arguments = parser.parse_args()
    start()
    os.environ["PYTHONWARNINGS"] = (
        "ignore::UserWarning"  # of Python's tracker of what dbt leaves when a process ends at once
    )
    for name in LIBRARIES:
        importlib.import_module(name)
    apart(lambda: prepare(arguments.customers))
    stages = [stage for stage in STAGES if stage.name.startswith(arguments.stages)]
    if any(stage.name == "ingest" for stage in stages):
        apart(lambda: change(arguments.changed, "pipeline"))
    table = Table("stage", "seconds", "ratio", "floor seconds", "floor", "peak GB", "rows", box=None)
    for stage in stages:
        console.print(f"{stage.name} ...", style="dim")
        floor, ours = apart(stage.floor), apart(stage.ours)
        if ours.result != floor.result:
            raise SystemExit(f"{stage.name}: the two sides differ: {ours.result} and {floor.result}")
        cells = (f"{ours.seconds:.2f}", f"{ours.seconds / floor.seconds:.2f}", f"{floor.seconds:.2f}", stage.floor_is)
        table.add_row(stage.name, *cells, f"{ours.peak_gb:.1f}", f"{ours.result[0]:,}")
    console.print(table)


def start() -> None:
    """Have PostgreSQL and MLflow running, and Airflow not."""
    settings = load_settings()
    running = [entry.name for entry in control.status(settings) if entry.is_healthy]
    if any(name.startswith("airflow") for name in running):
        raise SystemExit("Airflow is running and would ingest the changes itself: `crm-agents down` first.")
    control.up(settings, ["postgres", "mlflow"])


def prepare(customers: int) -> int:
    """Have a simulated company of `customers` loaded and scored, by the functions that the DAGs call."""
    from crm_agents import ingest, lake, loading, marts, training
    from crm_agents.agents import customer_behaviour, frame
    from crm_agents.company import loaded_company

    postgres.bootstrap()
    lake.bootstrap()
    present, scored = _counts()
    if abs(present - customers) > customers * 0.05:
        loading.load("simulated", customers=customers, progress=console.print)
    elif scored:
        return present
    ingest.run(run_id=RUN, progress=console.print)
    company = loaded_company()
    with lake.connect() as connection:
        as_of = marts.company_as_of(connection, company)
    marts.build(as_of=as_of, run_id=RUN)
    training.prepare(as_of=as_of, run_id=RUN)
    training.train(MODEL, as_of=as_of, run_id=RUN)
    run = frame.AgentRun(RUN, customer_behaviour.AGENT, as_of)
    for stage in ("understand", "decide", "execute"):
        getattr(customer_behaviour, stage)(run, company)
    return _counts()[0]


def _counts() -> tuple[int, int]:
    with postgres.connect() as crm:
        row = crm.execute(
            "select (select count(*) from crm.customers), "
            "(select count(*) from crm_ai.scores where status = 'scored' and model = %s)",
            (MODEL,),
        ).fetchone()
    return row or (0, 0)


# --- ingest ---


def ingest_changes() -> Result:
    """Bring the changes into the lake; the rows moved."""
    from crm_agents import ingest

    seconds, result = timed(lambda: ingest.run(run_id=RUN))
    return seconds, [counts.upserted for counts in result.tables if counts.table in ("orders", "order_items")]


def ingest_floor() -> Result:
    """Read the same rows, known beforehand, and store them as tables of the lake."""
    from crm_agents import lake

    with lake.connect(with_crm=True) as connection:
        marks = {
            table: connection.execute(
                "select watermark::varchar from lake.raw.ingest_state where table_name = ?", [table]
            ).fetchone()[0]
            for table in ("orders", "order_items")
        }

        def move(table: str) -> int:
            query = f"select * from crm.{table} where order_id like ''bench-%'' and updated_at > ''{marks[table]}''"
            rows = f"select * from postgres_query('crm_db', '{query}')"
            connection.execute(f"create or replace table predictions.benchmark_{table} as {rows}")
            return int(connection.execute(f"select count(*) from predictions.benchmark_{table}").fetchone()[0])

        found = timed(lambda: [move(table) for table in marks])
        for table in marks:
            connection.execute(f"drop table predictions.benchmark_{table}")
    return found


# --- marts and features ---


def build_everything() -> Result:
    """Build every model anew with dbt; checksums of the largest."""
    from crm_agents import lake, marts

    as_of = _newest_as_of()
    seconds, _ = timed(lambda: marts.build(as_of=as_of, run_id=RUN, full_refresh=True))
    with lake.connect() as connection:
        sums = [_checksum(connection, f"from {_schema(name)}.{name}") for name in MODELS_COMPARED]
    return seconds, _totals(sums)


def build_floor() -> Result:
    """Run the SELECT of every model, as dbt compiled it, in one DuckDB connection, into Parquet files."""
    from crm_agents import lake, marts

    as_of = _newest_as_of()
    marts.build(as_of=as_of, run_id=RUN)  # up to date first: both sides read the same
    compiled = _compiled(as_of)
    with tempfile.TemporaryDirectory(dir=load_settings().home) as folder, lake.connect() as connection:

        def run() -> None:
            for name, sql in compiled.items():
                connection.execute(f"copy ({sql}) to '{folder}/{name}.parquet' (format parquet, compression zstd)")

        seconds, _ = timed(run)
        sums = [_checksum(connection, f"from '{folder}/{name}.parquet'") for name in MODELS_COMPARED]
    return seconds, _totals(sums)


def _compiled(as_of: Any) -> dict[str, str]:
    """Return the SELECT of every table, in the order of the build, as a build from nothing would run it."""
    from crm_agents.company import loaded_company
    from crm_agents.marts import building, running
    from crm_agents.marts.state import look

    settings, company = load_settings(), loaded_company()
    variables = building._variables(as_of, [as_of], [], company, look(company, [as_of], settings))
    running.run_dbt(["compile", "--full-refresh"], {**variables, "whole_cutoffs": True}, settings, threads=1)
    folder = running.dbt_dir(settings) / "target" / "compiled" / "crm_agents" / "models"
    tables = {name for (name,) in _lake_rows("select table_name from duckdb_tables() where database_name = 'lake'")}
    found = {path.stem: path.read_text() for path in sorted(folder.rglob("*.sql")) if path.stem in tables}
    return {name: sql for name, sql in found.items() if not name.endswith("_changes") and name != "lbl_customers"}


def _schema(name: str) -> str:
    return "features" if name.startswith("ftr") else "marts"


def _newest_as_of() -> Any:
    return _lake_rows("select max(as_of) from features.ftr_customers")[0][0]


def _lake_rows(query: str) -> list[tuple]:
    from crm_agents import lake

    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def _checksum(connection: Any, relation: str) -> tuple[int, int]:
    """Count and hash the rows whatever their order; ingest batches and older cut-offs left out."""
    columns = {row[0] for row in connection.execute(f"describe {relation}").fetchall()}
    values = ", ".join(f'"{name}"::varchar' for name in sorted(columns - {"_batch"}))
    where = "where as_of = (select max(as_of) from features.ftr_customers)" if "as_of" in columns else ""
    row = connection.execute(f"select count(*), sum(hash({values}))::hugeint::varchar {relation} {where}").fetchone()
    return int(row[0]), int(row[1])


def _totals(sums: list[tuple[int, int]]) -> list[Any]:
    return [sum(rows for rows, _ in sums), *(str(checksum) for _, checksum in sums)]


# --- features to score ---


def score() -> Result:
    """Read features, predict, and return what a table of scores needs."""
    from crm_agents import lake

    model, as_of = _champion()
    features = ", ".join(f'"{name}"' for name in model.features)
    query = f"select customer_id, {features} from features.ftr_customers where as_of = '{as_of}' and has_purchased"
    with lake.connect() as connection:
        return _summed(lambda: model.predict(connection.execute(query).df()))


def score_floor() -> Result:
    """Predict on a frame that is in memory."""
    from crm_agents import lake

    model, as_of = _champion()
    features = ", ".join(f'"{name}"' for name in model.features)
    query = f"select {features} from features.ftr_customers where as_of = '{as_of}' and has_purchased"
    with lake.connect() as connection:
        frame = connection.execute(query).df()
    return _summed(lambda: model.predict(frame))


def _champion() -> tuple[Any, Any]:
    from crm_agents import registry

    as_of = _newest_as_of()
    return registry.load(registry.champion(MODEL, as_of)), as_of


def _summed(predict: Callable[[], Any]) -> Result:
    seconds, values = timed(predict)
    return seconds, [len(values), round(float(values.sum()), 4)]


# --- write-back ---


def _copy_scores(crm: Any) -> None:
    """Put a copy of the scores beside them: what is measured there harms nobody."""
    crm.execute(f"drop table if exists {BENCH_SCORES}")
    crm.execute(f"create table {BENCH_SCORES} (like crm_ai.scores including all)")
    crm.execute(f"insert into {BENCH_SCORES} select * from crm_ai.scores where status = 'scored' and model = '{MODEL}'")
    crm.commit()
    crm.autocommit = True
    crm.execute(f"vacuum analyze {BENCH_SCORES}")
    crm.autocommit = False


def _write_back(moved_by: float) -> Result:
    from dataclasses import replace

    from crm_agents import lake, scores, writeback

    with postgres.connect() as crm:
        _copy_scores(crm)
    target = replace(scores.target([MODEL]), table=BENCH_SCORES)
    columns = ", ".join(name for name in target.columns if name != "value")
    with lake.connect(with_crm=True) as connection:
        connection.execute(
            f"create temp table incoming as select {columns}, value + {moved_by} as value from crm_db.{BENCH_SCORES}"
        )
        seconds, counts = timed(lambda: writeback.write_back(connection, target, "incoming", run_id=RUN))
    return seconds, [counts.updated, _written()]


def _written() -> str:
    """Return the checksum of the copied scores, and forget what the ledger kept of them."""
    with postgres.connect() as crm:
        row = crm.execute(f"select round(sum(value)::numeric, 4)::text from {BENCH_SCORES}").fetchone()
        crm.execute("delete from crm_ai.write_ledger where run_id = %s", (RUN,))
        crm.execute(f"drop table {BENCH_SCORES}")
    return str(row[0]) if row else ""


def write_floor() -> Result:
    """COPY to a stage, one UPDATE, and COPY of as many ledger and history rows, in one transaction."""
    with postgres.connect() as crm, tempfile.TemporaryDirectory() as folder:
        _copy_scores(crm)
        values, ledger = Path(folder) / "values.csv", Path(folder) / "ledger.csv"
        _export(crm, f"select entity_id, value + 0.001 as value from {BENCH_SCORES}", values)
        _export(
            crm,
            f"select '{RUN}', '{BENCH_SCORES}', jsonb_build_object('entity_id', entity_id), 'update', to_jsonb(s), to_jsonb(s) "
            f"from {BENCH_SCORES} s",
            ledger,
        )
        crm.commit()

        def write() -> int:
            with crm.cursor() as cursor:
                cursor.execute("create temp table stage (entity_id text, value double precision) on commit drop")
                _copy(cursor, "stage", values)
                cursor.execute(
                    f"update {BENCH_SCORES} t set value = s.value from stage s where s.entity_id = t.entity_id"
                )
                updated = cursor.rowcount
                columns = "(run_id, table_name, row_key, operation, old_values, new_values)"
                _copy(cursor, f"crm_ai.write_ledger {columns}", ledger)
                crm.commit()
            return updated

        seconds, updated = timed(write)
    return seconds, [updated, _written()]


def compare_floor() -> Result:
    """Read what decides whether a score is written, and compare it with rows in DuckDB: by one query, written for it."""
    from crm_agents import lake

    columns = "entity_type, entity_id, model, value, grade, status, status_reason, model_version, as_of, valid_until"
    with postgres.connect() as crm:
        _copy_scores(crm)
    with lake.connect(with_crm=True) as connection:
        rows = f"select {columns} from crm_db.{BENCH_SCORES}"
        connection.execute(f"create temp table incoming as {rows}")
        seconds, found = timed(
            lambda: connection.execute(
                f"select count(*) from incoming new join ({rows}) old using (entity_type, entity_id, model) "
                "where new.as_of >= old.as_of and (abs(new.value - old.value) > 1e-6 "
                "or new.grade is distinct from old.grade or new.status <> old.status "
                "or new.status_reason is distinct from old.status_reason or new.model_version <> old.model_version "
                "or old.valid_until - new.as_of < (new.valid_until - new.as_of) // 2)"
            ).fetchone()
        )
    return seconds, [int(found[0]), _written()]


def _export(crm: Any, query: str, path: Path) -> None:
    with (
        path.open("wb") as stream,
        crm.cursor() as cursor,
        cursor.copy(f"copy ({query}) to stdout (format csv)") as rows,
    ):
        for block in rows:
            stream.write(block)


def _copy(cursor: Any, table: str, path: Path) -> None:
    with path.open("rb") as stream, cursor.copy(f"copy {table} from stdin (format csv)") as copy:
        while block := stream.read(1 << 20):
            copy.write(block)


STAGES = (
    Stage("ingest", ingest_changes, "the same rows read and stored, known beforehand", ingest_floor),
    Stage("build", build_everything, "the compiled SQL in one DuckDB connection", build_floor),
    Stage("features to score", score, "the model on a frame in memory", score_floor),
    Stage("write-back, all changed", lambda: _write_back(0.001), "COPY, UPDATE, COPY of the ledger", write_floor),
    Stage("write-back, none changed", lambda: _write_back(0.0), "both sides read and compared", compare_floor),
)

if __name__ == "__main__":
    main()
