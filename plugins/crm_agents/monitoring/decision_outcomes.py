"""What became of the choices of every agent, month by month: ``crm_ai.decision_performance``."""

from __future__ import annotations

from datetime import date

from crm_agents import postgres

# Outcomes that say nothing about the choice.
UNKNOWN = ("undone", "gone")


def evaluate(*, as_of: date, run_id: str) -> int:
    """Add up the outcomes that are known by `as_of`, per agent, policy, arm, choice and month; return the rows written.

    Lift is the mean value of a choice over the mean value of all choices of that agent and month: by how much better those
    fared whom the agent picked. It is no effect: who was picked was likely to buy. Effects need a control arm.
    """
    unknown = ", ".join(f"'{outcome}'" for outcome in UNKNOWN)
    with postgres.connect() as crm:
        return crm.execute(
            f"""
            with judged as (
                select agent, policy, coalesce(arm, '') as arm, chosen, date_trunc('month', as_of)::date as month,
                    outcome in ({unknown}) as is_unknown, outcome_value
                from crm_ai.decisions
                where outcome is not null and outcome_due_at <= %(as_of)s
            ),
            choices as (
                select agent, policy, arm, chosen, month,
                    count(*) filter (where not is_unknown) as outcomes, count(*) filter (where is_unknown) as unknown,
                    count(*) filter (where not is_unknown and outcome_value > 0) as positives,
                    sum(outcome_value) filter (where not is_unknown) as total
                from judged group by 1, 2, 3, 4, 5
            )
            insert into crm_ai.decision_performance as old (agent, policy, arm, chosen, month, outcomes, unknown,
                positive_share, mean_value, lift_positive, lift_value, as_of, run_id)
            select agent, policy, arm, chosen, month, outcomes, unknown, positives::float8 / nullif(outcomes, 0),
                total / nullif(outcomes, 0),
                (positives::float8 / nullif(outcomes, 0)) / nullif(sum(positives) over w / nullif(sum(outcomes) over w, 0), 0),
                (total / nullif(outcomes, 0)) / nullif(sum(total) over w / nullif(sum(outcomes) over w, 0), 0),
                %(as_of)s, %(run_id)s
            from choices window w as (partition by agent, month)
            on conflict (agent, policy, arm, chosen, month) do update set outcomes = excluded.outcomes,
                unknown = excluded.unknown, positive_share = excluded.positive_share, mean_value = excluded.mean_value,
                lift_positive = excluded.lift_positive, lift_value = excluded.lift_value, as_of = excluded.as_of,
                run_id = excluded.run_id, updated_at = clock_timestamp()
            where excluded.as_of >= old.as_of
            """,
            {"as_of": as_of, "run_id": run_id},
        ).rowcount
