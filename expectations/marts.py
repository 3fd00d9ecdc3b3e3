"""Rules on the marts after dbt has built them: nothing lost, nothing doubled, no impossible amount.

Keys, relationships and arithmetic over whole tables are dbt tests inside the build. Here stand only the rules without
which no agent may read a mart; they look at the rows that this build changed, and at row counts.
"""

from __future__ import annotations

from expectations.rules import CRITICAL, WARNING, Rule, Suite, TotalRule, not_in_future, row_rule


def _as_many_as(mart: str, raw: str) -> TotalRule:
    """`mart` has as many rows as raw had when it was built.

    An ingest that commits after the build only adds newer batches: it may take rows away from the older ones by
    changing or deleting them, never more than it wrote itself.
    """
    return TotalRule(
        "rows_as_in_raw",
        f"{mart} has one row for each row of raw.{raw} that is not deleted.",
        CRITICAL,
        {"_batch": "number"},
        unexpected=f"""
            select greatest(before.n - built.n, built.n - before.n - before.newer, 0)::bigint
            from (select count(*) as n, coalesce(max(_batch), 0) as batch from lake.marts.{mart}) as built,
                lateral (
                    select count(*) filter (where _batch <= built.batch and _deleted is not true) as n,
                        count(*) filter (where _batch > built.batch) as newer
                    from lake.raw.{raw}
                ) as before
        """,
    )


def _finite(column: str) -> Rule:
    return row_rule(
        f"{column}_finite",
        f"{column} is filled with a finite number",
        CRITICAL,
        {column: "number"},
        f"{column} is null or not isfinite({column}::double)",
    )


SUITES = (
    Suite(
        "marts",
        "fct_orders",
        {"order_id": "text"},
        (
            _as_many_as("fct_orders", "orders"),
            _finite("revenue_amount"),
            not_in_future("ordered_at"),
            row_rule(
                "purchase_has_customer",
                "A purchase has a customer",
                CRITICAL,
                {"is_purchase": "flag", "customer_id": "text"},
                "is_purchase and customer_id is null",
            ),
            row_rule(
                "revenue_not_negative",
                "Revenue is not negative",
                WARNING,
                {"revenue_amount": "number"},
                "revenue_amount < 0",
                max_share=0.001,
            ),
        ),
    ),
    Suite("marts", "fct_order_items", {}, (_as_many_as("fct_order_items", "order_items"),)),
    Suite("marts", "dim_customers", {"customer_id": "text"}, (_as_many_as("dim_customers", "customers"),)),
)
