"""The personalisation agent: which products each customer is likeliest to buy next, and what to do for them, if anything.

Recommendations are renewed for everybody. Actions are chosen once in an outcome window for each customer, from what their consent
allows, by a policy that learns from outcomes; greetings, win-back and care follow rules. What is to be sent goes into the outbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents import (
    action_policy,
    arms,
    decisions,
    lake,
    model_versions,
    outbox,
    postgres,
    recommendations,
    registry,
    usability,
    writeback,
)
from crm_agents.agents import customer_lists, customers, next_action, scope
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
from crm_agents.errors import CrmAgentsError
from crm_agents.model_catalog import find_model

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

AGENT = "personalisation_agent"
RECOMMENDATIONS = "predictions.recommendations"
DECISIONS = "predictions.personalisation_decisions"
WISHES = "predictions.personalisation_wishes"
WORKING_TABLES = (RECOMMENDATIONS, DECISIONS, WISHES)
COMPARED = {
    RECOMMENDATIONS: ("customer_id", "rank")
}  # who may be contacted is asked of the CRM as it is at that moment
CHURN = "churn"
DECIDED = {
    "customer_id": "varchar",
    "arm": "varchar",
    "chosen": "varchar",
    "channel": "varchar",
    "purpose": "varchar",
    "propensity": "double",
    "policy": "varchar",
    "options": "varchar",
    "reason": "varchar",
}


def perceive(run: AgentRun, company: Company) -> Perceived:
    """Look who has bought, and whether they are enough to learn from."""
    found = customers.at(run.as_of)
    needed = usability.fewest_entities(find_model(recommendations.MODEL), company.minimum_data)
    if found.buyers < needed:
        reason = f"Only {found.buyers:,} customers have ever bought; learning needs {needed:,} (minimum_data)."
    else:
        reason = f"{found.buyers:,} of {found.everybody:,} customers have bought at least once."
    return Perceived(found.everybody, found.buyers, found.buyers >= needed, reason)


def champion_readiness(run: AgentRun) -> Readiness:
    """Tell whether a model of recommendations serves on this day; when none does, whether one can be expected."""
    served = _served(run)
    if served.model is not None:
        version = served.model.version
        return Readiness("ready", f"{version.model} version {version.version} serves ({version.method}).")
    too_thin = registry.why_not_trained(recommendations.MODEL, run.as_of)
    if too_thin and not served.problem:
        return Readiness("hopeless", too_thin)
    return Readiness("waiting", served.problem or f"{recommendations.MODEL} has not been trained yet.")


def understand(run: AgentRun, company: Company) -> Understood:
    """Rank products for everybody who has bought."""
    settled = scope.recall(run)
    versions = settled.versions if settled else _versions(run)
    with lake.connect() as connection:
        works_on = scope.settle(connection, run, company, customers.FEATURES, versions, is_whole=True)
        version = model_versions.find(recommendations.MODEL, works_on.versions[recommendations.MODEL])
        model = registry.load(version)
        recommendations.fill(connection, RECOMMENDATIONS, run.run_id, run.as_of, works_on.snapshot, model)
        row = connection.execute(
            f"select count(distinct customer_id) from {RECOMMENDATIONS} where run_id = ?", [run.run_id]
        ).fetchone()
    served, found = int(row[0]) if row else 0, customers.at(run.as_of)
    return Understood(RECOMMENDATIONS, served, found.everybody - served, version.method, version.version)


def not_scored(run: AgentRun, reason: str) -> Understood:
    """Recommend nothing where too little is known; lists and greetings are still written."""
    with lake.connect() as connection:
        recommendations.fill_nothing(connection, RECOMMENDATIONS, run.run_id)
    return Understood(RECOMMENDATIONS, 0, customers.at(run.as_of).everybody, "none", "")


def decide(run: AgentRun, company: Company) -> Decided:
    """Put customers on lists, and choose an action for those whose day it is; nobody gets two things from one run."""
    if _is_past(run):
        return Decided(DECISIONS, {}, 0)
    with lake.connect(with_crm=True) as connection:
        _prepare_customers(connection, run, company)
        listed = _on_lists(connection, run, company)
        connection.register("listed", listed)
        acted = _next_actions(connection, run, company)
        connection.register("acted", acted)
        lake.replace_rows(
            connection,
            DECISIONS,
            run.run_id,
            f"select '{run.run_id}' as run_id, '{run.run_id}:' || customer_id as decision_id, date '{run.as_of}' as as_of, "
            f"{', '.join(f'{name}::{kind} as {name}' for name, kind in DECIDED.items())} "
            "from (from listed union all by name from acted)",
        )
        lake.replace_rows(connection, WISHES, run.run_id, _wishes_sql(run, company))
        counts = connection.execute(
            f"select chosen, count(*) from {DECISIONS} where run_id = ? group by 1 order by 1", [run.run_id]
        ).fetchall()
    return Decided(DECISIONS, dict(counts), sum(count for _, count in counts))


def blast_radius(run: AgentRun, company: Company) -> BlastRadius:
    """Say how many messages and tasks the run would put into the outbox, and whether a person has to agree first."""
    limit = company.personalisation.approval_above_messages
    if _is_past(run):
        return BlastRadius("A backfill sends nothing.", False)
    with lake.connect() as connection:
        counts = connection.execute(
            f"select template, channel, count(*) from {WISHES} where run_id = ? group by all order by 3 desc, 1",
            [run.run_id],
        ).fetchall()
    total = sum(row[2] for row in counts)
    if limit is None or total <= limit:
        return BlastRadius(f"{total:,} messages and tasks; within what a run may do by itself.", False)
    why = f"{total:,} messages and tasks, more than {limit:,} (personalisation.approval_above_messages)"
    table = ["| what | channel | wished for |", "|---|---|---:|", *(f"| {a} | {b} | {n:,} |" for a, b, n in counts)]
    return BlastRadius(f"{why}.", True, "\n".join([f"Run **{run.run_id}** waits because of {why}.", "", *table]))


def permit(run: AgentRun, company: Company) -> str:
    """Ask the rules of consent and frequency, and say what came of it; what cannot be read blocks everything."""
    if _is_past(run):
        return "A backfill sends nothing."
    with lake.connect(with_crm=True) as connection:
        _read_wishes(connection, run)
        return outbox.check(connection, "wishes", run, company.outreach, next_action.moment(run)).summary


def execute(run: AgentRun, company: Company) -> Executed:
    """Write recommendations that changed (with ledger), decisions, and what may go out; safe to repeat after a crash."""
    if _is_past(run):
        return Executed(0, 0, 0, 0)
    with lake.connect(with_crm=True) as connection:
        connection.execute(
            f"create or replace temp view incoming as select * from {RECOMMENDATIONS} where run_id = '{run.run_id}'"
        )
        counts = writeback.write_back(connection, recommendations.TARGET, "incoming", run_id=run.run_id)
        added = decisions.add(
            connection,
            f"select decision_id, run_id, '{AGENT}', 'customer', customer_id, options, chosen, arm, propensity, policy, "
            f"null::double, reason, as_of, null, (as_of + {company.personalisation.outcome_days})::date "
            f"from {DECISIONS} where run_id = '{run.run_id}'",
        )
        _read_wishes(connection, run)
        filled = outbox.fill(connection, "wishes", run, company.outreach, next_action.moment(run))
    print(filled.checked.summary)
    return Executed(
        counts.inserted + filled.written.inserted, counts.updated + filled.cancelled, counts.unchanged, added
    )


def explain(run: AgentRun, company: Company) -> int:
    """Nothing is left to explain: each recommendation and each decision carries its reason."""
    return 0


def evaluate(run: AgentRun, company: Company) -> Evaluated:
    """Join what happened to earlier decisions that are due, and let the policy learn from it."""
    with lake.connect(with_crm=True) as connection:
        found = customers.join_outcomes(connection, AGENT, run.as_of)
        log = None if _is_past(run) else action_policy.read_log(connection, AGENT, run.as_of)
    if log is not None and company.personalisation.policy == action_policy.LEARNT:
        print(action_policy.learn(log, company.personalisation, run.as_of, currency=company.currency).reason)
    return found


def _is_past(run: AgentRun) -> bool:
    """Tell whether the run is for a day gone by: a backfill, or one that a backfill of scores has started."""
    if run.is_backfill:
        return True
    with postgres.connect() as crm:
        row = crm.execute(
            "select exists (select from crm_ai.agent_runs where agent = %s and as_of > %s and run_id <> %s "
            "and status in ('written', 'done')) or exists (select from crm_ai.recommendations where as_of > %s)",
            (AGENT, run.as_of, run.run_id, run.as_of),
        ).fetchone()
    return bool(row and row[0])


def _served(run: AgentRun) -> registry.Served:
    return registry.usable(recommendations.MODEL, run.as_of, ("customer_id", "product_id", "bought_on"))


def _versions(run: AgentRun) -> dict[str, str]:
    served = _served(run)
    if served.model is None:
        raise CrmAgentsError(champion_readiness(run).reason, "Train first: `crm-agents run train_models`.")
    return {
        recommendations.MODEL: served.model.version.version,
        action_policy.MODEL: action_policy.serving_version(run.as_of),
    }


def _prepare_customers(connection: duckdb.DuckDBPyConnection, run: AgentRun, company: Company) -> None:
    """Fill ``buyers`` (features of the day, with arm) and ``earlier`` (what was decided for whom, and when last)."""
    works_on = scope.recall(run)
    rows = works_on.rows(customers.FEATURES) if works_on else customers.FEATURES
    found = connection.execute(
        f"select customer_id from {rows} where as_of = date '{run.as_of}' and has_purchased order by customer_id"
    ).df()
    earlier = connection.execute(
        f"""
        from postgres_query('crm_db', '
            select distinct on (entity_id) entity_id, arm from crm_ai.decisions where agent = ''{AGENT}'' and arm is not null
                and as_of <= ''{run.as_of}'' and run_id <> ''{run.run_id}'' and outcome is distinct from ''undone''
            order by entity_id, as_of, decision_id
        ')
        """
    ).df()
    shares = arms.ArmShares(company.personalisation.holdout_share, company.personalisation.as_usual_share)
    found["arm"] = arms.arms(found["customer_id"], shares, earlier.set_index("entity_id")["arm"])
    connection.register("arms", found)
    connection.execute(
        f"create or replace temp table buyers as from {rows} join arms using (customer_id) where as_of = date '{run.as_of}'"
    )
    connection.execute(
        f"""
        create or replace temp table earlier as from postgres_query('crm_db', '
            select entity_id as customer_id, chosen, policy, max(as_of) as last_on, max(outcome_due_at) as due_on
            from crm_ai.decisions where agent = ''{AGENT}'' and as_of <= ''{run.as_of}'' and run_id <> ''{run.run_id}''
                and outcome is distinct from ''undone'' group by 1, 2, 3
        ')
        """
    )


def _on_lists(connection: duckdb.DuckDBPyConnection, run: AgentRun, company: Company) -> pd.DataFrame:
    """Return who is on a list today, and was not lately."""
    it = company.personalisation
    churn = (
        "(select * from postgres_query('crm_db', 'select entity_id as customer_id, value from crm_ai.scores "
        f"where entity_type = ''customer'' and model = ''{CHURN}'' and value is not null'))"
    )
    listed = customer_lists.wishes_sql("buyers", churn, it, run.as_of.isoformat())
    return connection.execute(
        f"""
        with due as (
            select *, arm = '{arms.TREATMENT}' or list = '{customer_lists.CARE}' as is_served, 'list ' || list as policy
            from ({listed}) join arms using (customer_id)
        )
        select customer_id, arm, case when is_served then list when arm = '{arms.CONTROL}' then '{next_action.DO_NOTHING}'
                else '{next_action.AS_USUAL_CHOICE}' end as chosen,
            case when is_served then channel end as channel, purpose, 1.0 as propensity, policy,
            reason || case when is_served then '' else ' Not served: it is measured what that brings.' end as reason,
            json_object('list', list)::varchar as options
        from due
        anti join (select customer_id, policy from earlier where last_on > date '{run.as_of}' - {it.rest_days}) lately
            using (customer_id, policy)
        order by customer_id
        """
    ).df()


def _next_actions(connection: duckdb.DuckDBPyConnection, run: AgentRun, company: Company) -> pd.DataFrame:
    """Return what the policy chooses for those whose day it is, unless a list has them or an earlier choice stands."""
    works_on = scope.recall(run)
    version = works_on.versions.get(action_policy.MODEL, action_policy.PRIOR) if works_on else action_policy.PRIOR
    connection.execute(f"create or replace temp table context as {action_policy.context_sql('buyers')}")
    context = connection.execute(
        f"""
        select c.*, a.arm from ({next_action.whose_day_sql("context", run, company.personalisation.outcome_days)}) c
        join arms a using (customer_id)
        anti join (select customer_id from earlier where policy not like 'list %' and due_on > date '{run.as_of}')
            using (customer_id)
        anti join listed using (customer_id)
        order by customer_id
        """
    ).df()
    if context.empty:
        return context.reindex(columns=list(DECIDED))
    allowed = next_action.permitted(connection, context, run, company)
    found = next_action.choose(context, allowed, version, run, company)
    channels = {it.name: (it.channel, it.purpose) for it in company.personalisation.actions}
    found["channel"] = [channels.get(choice, (None, None))[0] for choice in found["chosen"]]
    found["purpose"] = [channels.get(choice, (None, None))[1] for choice in found["chosen"]]
    return found.drop(columns="expected")


def _wishes_sql(run: AgentRun, company: Company) -> str:
    """Return the SELECT of what is to be sent: every decision with a channel, with the products that suit the customer."""
    return f"""
        select d.run_id, d.decision_id, d.customer_id, d.channel, d.purpose, d.chosen as template, d.chosen as action,
            json_object('products', coalesce(r.products, []), 'as_of', d.as_of::varchar)::varchar as variables
        from {DECISIONS} d
        left join (
            select customer_id, list(product_id order by rank) as products from {RECOMMENDATIONS}
            where run_id = '{run.run_id}' and rank <= 3 group by 1
        ) r using (customer_id)
        where d.run_id = '{run.run_id}' and d.channel is not null
    """


def _read_wishes(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> None:
    connection.execute(
        "create or replace temp table wishes as select decision_id, customer_id, channel, purpose, template, variables, action "
        f"from {WISHES} where run_id = '{run.run_id}'"
    )
