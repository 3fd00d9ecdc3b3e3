"""What a run has brought, for a person to read: collected from the tables, so that nothing is said that is not written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crm_agents import postgres

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Summary:
    """Rows for each part of the summary; every list may be empty.

    Attributes
    ----------
    loaded : list
        (table, rows read, used, quarantined) of the company's last load.
    quarantined : list
        (table, reason, rows, example source file), most first.
    moved : list
        (table, upserted, deleted) of the last ingest that moved something.
    quality : list
        (stage, severity, passed, failed).
    failed_rules : list
        (table, expectation, severity, unexpected).
    models : list
        (model, version, alias, grade, method, metrics, baseline metrics).
    contacts : list
        (customer_id, probability, grade, reason for, reason against, expected revenue).
    losses : list
        (customer_id, probability of being lost, segment, reason for, reason against) in the segment with most revenue.
    choices : list
        (agent, choice, customers), of each customer's last decision.
    messages : list
        (what, channel, rows) that wait in the outbox.
    blocked : list
        (rule, decisions) that consent or frequency stood against.
    values : list
        (customers, expected purchases, expected value, currency, as_of) of the 12 months to come, all customers together.
    segments : list
        (sentence,) of each segment, the one with most revenue first.
    written : list
        (run_id, table, rows) written by these runs.
    runs : list
        (run_id, agent, as_of, status, reason, writes, seconds) of each agent's newest run for its newest day that wrote
        something, or of its newest run where none did.
    """

    loaded: list[Row]
    quarantined: list[Row]
    moved: list[Row]
    quality: list[Row]
    failed_rules: list[Row]
    models: list[Row]
    contacts: list[Row]
    losses: list[Row]
    choices: list[Row]
    messages: list[Row]
    blocked: list[Row]
    values: list[Row]
    segments: list[Row]
    written: list[Row]
    runs: list[Row]


STRONGEST = """
    (select statement from crm_ai.score_reasons r where (r.entity_type, r.entity_id, r.model)
        = (s.entity_type, s.entity_id, s.model) and direction = '+' and feature not in ('base', 'other')
     order by contribution desc limit 1),
    (select statement from crm_ai.score_reasons r where (r.entity_type, r.entity_id, r.model)
        = (s.entity_type, s.entity_id, s.model) and direction = '-' and feature not in ('base', 'other')
     order by contribution limit 1)
"""
QUERIES = {
    "loaded": """
        select table_name, sum(rows_read), sum(rows_used), sum(rows_quarantined) from crm_ai.load_counts
        where run_id = (select run_id from crm_ai.load_counts order by at desc limit 1) and table_name <> '(whole file)'
        group by table_name order by 2 desc, 1
    """,
    "quarantined": """
        select table_name, regexp_replace(reason, '''[^'']*''', '...', 'g') as kind, count(*), min(source_file)
        from crm_ai.quarantine group by 1, 2 order by 3 desc, 1 limit 8
    """,
    "moved": """
        select table_name, rows_upserted, rows_deleted from crm_ai.ingest_counts
        where run_id = (select run_id from crm_ai.ingest_counts where rows_upserted + rows_deleted > 0
                        order by at desc limit 1)
          and rows_upserted + rows_deleted > 0
        order by 2 desc
    """,
    "quality": """
        select stage, severity, count(*) filter (where success), count(*) filter (where not success)
        from crm_ai.quality_results
        where (stage, run_id) in (select distinct on (stage) stage, run_id from crm_ai.quality_results
                                  order by stage, checked_at desc)
        group by 1, 2 order by 1, 2
    """,
    "failed_rules": """
        select table_name, expectation, severity, coalesce(unexpected_count, 0) from crm_ai.quality_results
        where not success
          and (stage, run_id) in (select distinct on (stage) stage, run_id from crm_ai.quality_results
                                  order by stage, checked_at desc)
        order by severity, 4 desc limit 8
    """,
    "models": """
        select model, version, alias, grade, method, metrics, baseline_metrics from crm_ai.models
        where retired_at is null and promoted_at is not null order by model, promoted_at desc
    """,
    "contacts": f"""
        select d.entity_id, s.value, s.grade, {STRONGEST},
            (d.options -> 'contact_now' ->> 'expected_revenue')::numeric
        from crm_ai.decisions d
        join crm_ai.scores s on s.entity_type = d.entity_type and s.entity_id = d.entity_id
            and s.model = 'purchase_propensity'
        where d.chosen = 'contact_now' and d.outcome is null
        order by 6 desc nulls last, s.value desc limit 8
    """,
    "losses": f"""
        select s.entity_id, s.value, g.segment_name, {STRONGEST}
        from crm_ai.scores s
        join crm_ai.customer_segments g on g.customer_id = s.entity_id
        where s.entity_type = 'customer' and s.model = 'churn' and s.status = 'scored'
            and g.segment_id = (select segment_id from crm_ai.segment_profiles order by as_of desc, revenue_share desc limit 1)
        order by s.value desc, s.entity_id limit 5
    """,
    "choices": """
        select agent, chosen, count(*) from (
            select distinct on (agent, entity_type, entity_id) agent, chosen from crm_ai.decisions
            where outcome is distinct from 'undone'
            order by agent, entity_type, entity_id, as_of desc, created_at desc) latest
        group by 1, 2 order by 1, 3 desc
    """,
    "messages": """
        select template, channel, count(*) from crm_ai.outbox where status = 'ready' group by 1, 2 order by 3 desc, 1
    """,
    "blocked": """
        select blocked_by, count(*) from crm_ai.decisions where blocked_by is not null group by 1 order by 2 desc, 1
    """,
    "values": """
        select count(*), sum(expected_purchases_12m), sum(expected_value_12m), currency, max(as_of)
        from crm_ai.customer_values group by currency order by 3 desc
    """,
    "segments": """
        select statement from crm_ai.segment_profiles where as_of = (select max(as_of) from crm_ai.segment_profiles)
        order by revenue_share desc, segment_id
    """,
    "runs": """
        select distinct on (agent) run_id, agent, as_of, status, status_reason, writes, seconds from crm_ai.agent_runs
        where agent like '%_agent'
        order by agent, as_of desc, coalesce(writes, 0) > 0 and status <> 'undone' desc, started_at desc
    """,
}
WRITTEN = (
    "scores",
    "score_reasons",
    "score_history",
    "customer_values",
    "decisions",
    "customer_segments",
    "segment_moves",
    "segment_profiles",
    "recommendations",
    "outbox",
    "write_ledger",
)


def collect() -> Summary:
    """Read every part of the summary from the CRM database."""
    counts = " union all ".join(
        f"select run_id, 'crm_ai.{table}' as table_name, count(*), {place} as place from crm_ai.{table} "
        "where run_id = any(%(runs)s) group by run_id"
        for place, table in enumerate(WRITTEN)
    )
    with postgres.connect() as crm:
        rows = {name: crm.execute(query).fetchall() for name, query in QUERIES.items()}
        written = crm.execute(
            f"select run_id, table_name, count from ({counts}) w order by run_id, place",
            {"runs": [run[0] for run in rows["runs"]]},
        ).fetchall()
    return Summary(**rows, written=written)
