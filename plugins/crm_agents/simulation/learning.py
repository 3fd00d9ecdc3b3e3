"""How well the scores of each week told who would buy: realised, from what was written then and what happened since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from crm_agents import lake
from crm_agents.company import Company

MODEL = "purchase_propensity"
FEWEST = 50  # buyers and others in a week, below which nothing is said about it


@dataclass(frozen=True)
class Week:
    """Scores as they stood on a day, against the purchases of the horizon after it."""

    as_of: date
    customers: int
    base_rate: float
    auc: float
    brier: float


def weeks(company: Company, start_on: date, days: int) -> list[Week]:
    """Return a point for each week from the evening before `start_on`, as far as the horizon has gone by."""
    last = start_on + timedelta(days=days - 1)
    found = []
    with lake.connect(with_crm=True) as connection:
        as_of = start_on - timedelta(days=1)
        while as_of + timedelta(days=company.prediction.horizon_days) <= last:
            row = connection.execute(_query(as_of, company.prediction.horizon_days)).fetchone()
            if row and min(row[1], row[0] - row[1]) >= FEWEST:
                found.append(Week(as_of, int(row[0]), row[1] / row[0], float(row[2]), float(row[3])))
            as_of += timedelta(days=7)
    return found


def _query(as_of: date, horizon_days: int) -> str:
    """Return one row: customers, buyers, AUC (from mid ranks), Brier score."""
    return f"""
        with scored as (
            select entity_id, arg_max(value, as_of) as value from crm_db.crm_ai.score_history
            where model = '{MODEL}' and as_of <= date '{as_of}' group by 1
        ),
        told as (
            select s.value, o.customer_id is not null as bought,
                (count(*) over (order by s.value)
                 + count(*) over (order by s.value range between unbounded preceding and current row exclude group) + 1)
                 / 2.0 as mid_rank
            from scored s
            left join (
                select distinct customer_id from marts.fct_orders
                where is_purchase and ordered_on > date '{as_of}' and ordered_on <= date '{as_of}' + {horizon_days}
            ) o on o.customer_id = s.entity_id
            where s.value is not null
        )
        select count(*), count(*) filter (bought),
            (sum(mid_rank) filter (bought) - count(*) filter (bought) * (count(*) filter (bought) + 1) / 2.0)
                / nullif(count(*) filter (bought) * count(*) filter (not bought), 0),
            avg((value - bought::int) ** 2)
        from told
    """
