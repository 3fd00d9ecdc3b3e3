"""A simulated company's export files as raw lake tables and features: what monitoring reads, without a pipeline run a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from crm_agents import lake, postgres, registry, training
from crm_agents.company import Company
from crm_agents.model_catalog import find_model
from crm_agents.monitoring import alarms, arrivals, inputs, labels
from crm_agents.monitoring.limits import judge
from crm_agents.monitoring.outcomes import Question
from crm_agents.simulator import Drift, generate
from tests.simulated_customers import feature_rows, fill_lake

MODEL = "purchase_propensity"
HORIZON = 30
END = date(2026, 6, 30)
COMPANY = Company(name="test", title="Test", prediction={"horizon_days": HORIZON, "cutoffs": 4})
MOMENT = """coalesce(try_cast({0} as timestamp),
    try_strptime({0}::varchar, ['%d.%m.%Y %H:%M', '%m/%d/%Y %I:%M %p', '%d.%m.%Y', '%m/%d/%Y']))"""
AMOUNT = "try_cast(replace(replace(replace({0}, ' EUR', ''), '€ ', ''), ',', '.') as double)"
MOMENTS = {
    "customers": "created_at",
    "orders": "ordered_at",
    "payments": "paid_at",
    "interactions": "occurred_at",
    "tickets": "opened_at",
    "feedback": "given_at",
    "leads": "created_at",
    "opportunities": "created_at",
    "loyalty_transactions": "occurred_at",
}
AMOUNTS = {"order_items": "unit_price", "payments": "amount", "opportunities": "amount"}
KEYS = {"orders": "order_id", "order_items": "order_id, line_no"}


def simulate(folder: Path, customers: int, drift: Drift | None = None, years: float = 3, seed: int = 7) -> None:
    """Simulate a company and fill raw tables, ``marts.fct_orders`` and ``marts.dim_customers`` of the lake."""
    generate(
        folder / "files", truth=folder / "truth", customers=customers, years=years, seed=seed, drift=drift, end_on=END
    )
    with lake.connect() as connection:
        for table in ("customers", "order_items", *(name for name in MOMENTS if name != "customers")):
            _fill_raw(connection, table, folder / "files" / f"{table}.parquet")
        connection.execute(
            f"""
            create or replace table marts.fct_orders as
            select order_id, customer_id, ordered_at::date as ordered_on, ordered_at,
                status not in ('cancelled', 'returned') and revenue > 0 as is_purchase,
                coalesce(revenue, 0)::decimal(38, 4) as revenue_amount
            from raw.orders left join (
                select order_id, sum(quantity * unit_price - discount) as revenue from raw.order_items
                where quantity > 0 and unit_price > 0 group by order_id
            ) using (order_id) where ordered_at::date <= date '{END}'
                and customer_id in (select customer_id from raw.customers)
            """
        )
        connection.execute(
            "create or replace table marts.dim_customers as select distinct customer_id from raw.customers"
        )


def _fill_raw(connection: duckdb.DuckDBPyConnection, table: str, file: Path) -> None:
    replaced = []
    if table in MOMENTS:
        replaced.append(f"{MOMENT.format(MOMENTS[table])} as {MOMENTS[table]}")
    if table in AMOUNTS:
        replaced.append(f"{AMOUNT.format(AMOUNTS[table])} as {AMOUNTS[table]}")
    currency = ", 'EUR' as currency" if table == "orders" else ""
    distinct = f"distinct on ({KEYS[table]})" if table in KEYS else ""
    connection.execute(
        f"create or replace table raw.{table} as select {distinct} * replace ({', '.join(replaced)}), "
        f"false as _deleted{currency} from read_parquet('{file}')"
    )


def build_features(days: Sequence[date], label_days: Sequence[date]) -> None:
    """Fill ``features.ftr_customers`` at `days` and the labels of `label_days`."""
    with lake.connect() as connection:
        bought = connection.execute(
            "select customer_id, 'Austria' as country, ordered_on::timestamp as bought_on, sum(revenue_amount)::double as amount "
            "from marts.fct_orders where is_purchase and customer_id is not null group by all order by 1, 3"
        ).df()
    fill_lake(feature_rows(bought, sorted({*days, *label_days}), HORIZON), HORIZON, label_days)


def train_and_score(trained_on: date, days: Sequence[date]) -> None:
    """Train a champion as of `trained_on` and write the scores that it gives on every one of `days`."""
    labelled = [trained_on - timedelta(days=HORIZON + 30 * number) for number in range(COMPANY.prediction.cutoffs + 1)]
    build_features([trained_on, *days], labelled)
    result = training.train(MODEL, as_of=trained_on, run_id="train", company=COMPANY)
    assert result.serving, result.reason
    model = registry.load(registry.champion(MODEL, trained_on))
    with lake.connect(with_crm=True) as connection:
        listed = ", ".join(f"date '{day}'" for day in days)
        frame = connection.execute(f"from features.ftr_customers where as_of in ({listed})").df()
        frame["value"] = model.predict(frame)
        connection.register("scored", frame[["customer_id", "as_of", "value"]])
        connection.execute(
            "insert into crm_db.crm_ai.score_history (entity_type, entity_id, model, as_of, value, unit, status, method, "
            f"model_version, run_id, written_at) select 'customer', customer_id, '{MODEL}', as_of::date, value, 'probability', "
            f"'scored', 'champion', '{result.version}', 'run', now() from scored"
        )


def watch_arrivals(days: Sequence[date]) -> None:
    """Measure and judge arriving rows on each of `days`, as the DAG does."""
    settings = COMPANY.monitoring
    with lake.connect() as connection:
        arrivals.profile(connection, arrivals.first_needed(days[0], settings), days[-1])
        for day in days:
            found = arrivals.measure(connection, day, settings)
            alarms.record(judge(found, settings), as_of=day, run_id=f"run-{day}", models=[MODEL], settings=settings)


def watch_model(days: Sequence[date]) -> None:
    """Measure and judge inputs, scores and outcomes of the model on each of `days`."""
    spec, settings = find_model(MODEL), COMPANY.monitoring
    with lake.connect(with_crm=True) as connection:
        for day in days:
            found = inputs.measure(connection, spec, day, COMPANY)
            question = Question(spec, spec.outcome, day, day, HORIZON)
            found += labels.measure(connection, question, COMPANY)
            alarms.record(judge(found, settings), as_of=day, run_id=f"run-{day}", models=[MODEL], settings=settings)


def raised() -> list[tuple]:
    """Return kind, subject, name, opened_as_of, message of every alarm."""
    with postgres.connect() as crm:
        return crm.execute(
            "select kind, subject, name, opened_as_of, message from crm_ai.model_alarms order by opened_as_of, 1, 2, 3"
        ).fetchall()
