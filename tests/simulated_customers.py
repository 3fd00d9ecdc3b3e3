"""Customers who buy at random (each at a rate of their own, until they leave), and their features at cut-offs.

For tests of models: the real feature tables come from dbt, which takes longer than most of these tests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd

FIRST_DAY = date(2022, 1, 1)
LABELS = "has_purchased_next, has_lapsed_next, purchases_next, revenue_next"
COUNTS_OF_OTHER_TABLES = [
    "cancellations_total",
    "late_deliveries_180d",
    "web_visits_7d",
    "web_visits_30d",
    "emails_sent_90d",
    "emails_opened_90d",
    "emails_clicked_90d",
    "calls_90d",
    "tickets_open",
    "tickets_90d",
    "loyalty_points",
    "campaigns_sent_90d",
]


def purchases(customers: int, last_day: date, seed: int = 1) -> pd.DataFrame:
    """Return customer_id, country, bought_on and amount of every purchase."""
    random = np.random.default_rng(seed)
    days = (last_day - FIRST_DAY).days
    rate = random.gamma(1.2, 1 / 60, customers)
    first = random.uniform(0, 0.8 * days, customers)
    active = np.minimum(random.exponential(400, customers), days - first)
    count = 1 + random.poisson(rate * active)
    owner = np.repeat(np.arange(customers), count)
    when = first[owner] + random.uniform(0, 1, len(owner)) * active[owner]
    when[np.r_[0, np.cumsum(count)[:-1]]] = first
    typical = random.lognormal(4, 0.6, customers)
    return pd.DataFrame(
        {
            "customer_id": np.char.add("c", owner.astype(str)).astype(object),
            "country": np.where(owner % 3 == 0, "Austria", "Belgium").astype(object),
            "bought_on": pd.to_datetime(FIRST_DAY) + pd.to_timedelta(np.floor(when), unit="D"),
            "amount": np.round(typical[owner] * random.lognormal(0, 0.3, len(owner)), 2),
        }
    )


def feature_rows(bought: pd.DataFrame, cutoffs: Sequence[date], horizon_days: int) -> pd.DataFrame:
    """Return the columns of ``features.ftr_customers`` and the label, one row per customer and cut-off."""
    windows = ", ".join(
        f"count(*) filter (where bought_on > as_of - {days})::double as purchases_{days}d, "
        f"coalesce(sum(amount) filter (where bought_on > as_of - {days}), 0)::double as revenue_{days}d"
        for days in (30, 90, 180, 365)
    )
    with duckdb.connect() as connection:
        connection.register("bought", bought)
        connection.register("cutoff", pd.DataFrame({"as_of": pd.to_datetime(list(cutoffs))}))
        return (
            connection.execute(
                f"""
            with dated as (
                select * replace (bought_on::date as bought_on, as_of::date as as_of),
                    date_diff('day', lag(bought_on) over (partition by as_of, customer_id order by bought_on), bought_on) as gap
                from bought join cutoff on bought_on <= as_of
            ),
            later as (
                select customer_id, as_of::date as as_of, count(*) as purchases_next, sum(amount) as revenue_next
                from bought join cutoff on bought_on > as_of and bought_on <= as_of + interval {horizon_days} day
                group by all
            )
            select customer_id, as_of, 'person' as kind, any_value(country) as country, null::varchar as region,
                null::varchar as industry, true as has_purchased,
                max(date_diff('day', bought_on, as_of))::double as tenure_days, tenure_days as account_age_days,
                min(date_diff('day', bought_on, as_of))::double as recency_days,
                count(*)::double as purchases_total, sum(amount)::double as revenue_total, {windows},
                avg(amount) as average_order_value, (2 * count(*))::double as items_total,
                least(count(*), 7)::double as distinct_products, avg(gap) filter (gap > 0) as mean_gap_days,
                stddev_samp(gap) as gap_stddev_days, recency_days / mean_gap_days as overdue_ratio,
                count(distinct date_trunc('month', bought_on)) filter (where bought_on > as_of - 365)::double
                    as active_months_365d,
                0.0::double as cancellation_share, 0.0::double as discount_share, null::double as days_since_interaction,
                null::double as feedback_score_mean, 1::bigint as _batch,
                {", ".join(f"0.0::double as {name}" for name in COUNTS_OF_OTHER_TABLES)},
                any_value(purchases_next) is not null as has_purchased_next,
                coalesce(any_value(purchases_next), 0) as purchases_next,
                coalesce(any_value(revenue_next), 0) as revenue_next, not has_purchased_next as has_lapsed_next,
                recency_days <= {horizon_days} as is_active
            from dated left join later using (customer_id, as_of)
            group by customer_id, as_of order by as_of, customer_id
            """
            )
            .df()
            .assign(as_of=lambda frame: frame["as_of"].dt.date)
        )


def training_and_holdout(
    customers: int = 3000,
    as_of: date = date(2024, 6, 30),
    horizon_days: int = 30,
    cutoffs: int = 6,
    seed: int = 1,
    spacing: int = 30,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the training cut-offs and those of the out-of-time holdout."""
    holdout = as_of - timedelta(days=horizon_days)
    training = [holdout - timedelta(days=spacing * step) for step in range(1, cutoffs + 1)]
    rows = feature_rows(purchases(customers, as_of, seed), [holdout, *training], horizon_days)
    is_holdout = rows["as_of"] == holdout
    return rows[~is_holdout].reset_index(drop=True), rows[is_holdout].reset_index(drop=True)


def fill_lake(rows: pd.DataFrame, horizon_days: int, label_days: Collection[date]) -> None:
    """Write `rows` as ``features.ftr_customers`` and, of the cut-offs `label_days`, ``features.lbl_customers``."""
    from crm_agents import lake

    listed = ", ".join(f"date '{day}'" for day in label_days)
    with lake.connect() as connection:
        connection.register("simulated", rows)
        connection.execute(
            f"create or replace table features.ftr_customers as select * exclude ({LABELS}, is_active) "
            "replace (as_of::date as as_of) from simulated"
        )
        connection.execute(
            f"create or replace table features.lbl_customers as select customer_id, as_of::date as as_of, {horizon_days} as "
            f"horizon_days, {LABELS}, _batch from simulated where as_of::date in ({listed})"
        )
