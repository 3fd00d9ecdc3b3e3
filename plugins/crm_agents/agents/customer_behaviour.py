"""The customer behaviour agent: who will buy next, who is about to be lost, what each is worth, and whom to contact now.

Scores every customer with every model of customers, decides for each one whether to contact now, wait or leave alone,
writes what changed, explains it, and joins what happened to earlier decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents import approval, decisions, lake, scores, usability, writeback
from crm_agents.agents import contact_policy, customer_scores, customer_values, customers, ranking, scope
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

AGENT = "customer_behaviour_agent"
MODEL = "purchase_propensity"  # what contacts are decided by
PREDICTIONS = customer_scores.PREDICTIONS
DECISIONS = "predictions.customer_decisions"
GRID = "predictions.customer_decisions_grid"
WORKING_TABLES = (PREDICTIONS, customer_scores.GRID, customer_values.VALUES, DECISIONS, GRID)
COMPARED = {
    PREDICTIONS: ("customer_id", "model"),
    customer_values.VALUES: ("customer_id",),
    DECISIONS: ("customer_id",),
}


def perceive(run: AgentRun, company: Company) -> Perceived:
    """Look what is there: customers with features at as_of, and whether they are enough to work with."""
    population = customers.at(run.as_of)
    everybody, buyers = population.everybody, population.buyers
    needed = usability.fewest_entities(find_model(MODEL), company.minimum_data)
    if not buyers:
        reason = f"None of the {everybody:,} customers has bought anything up to {run.as_of}."
    elif buyers < needed:
        reason = f"Only {buyers:,} customers have ever bought; learning needs {needed:,} (minimum_data)."
    else:
        reason = f"{buyers:,} of {everybody:,} customers have bought at least once."
    return Perceived(everybody, buyers, buyers >= needed, reason)


def champion_readiness(run: AgentRun) -> Readiness:
    """Tell whether a champion serves on this day; when none does, whether one can be expected."""
    return customer_scores.overall_readiness(run)


def understand(run: AgentRun, company: Company) -> Understood:
    """Score every customer (or those whose features changed, see `scope`) with every model; who has no score is told why.

    Raises
    ------
    CrmAgentsError
        When no champion and no baseline can be used.
    """
    settled = scope.recall(run)
    versions = settled.versions if settled else customer_scores.versions(run)
    if not set(versions.values()) - {customer_scores.NOBODY}:
        raise CrmAgentsError(champion_readiness(run).reason, "Train first: `crm-agents run train_models`.")
    with lake.connect() as connection:
        works_on = scope.settle(connection, run, company, customers.FEATURES, versions)
        customer_scores.predict(connection, run, company, works_on)
        return _understood(connection, run)


def not_scored(run: AgentRun, reason: str) -> Understood:
    """Prepare the honest answer where data are too thin: every customer without a score, and with the reason."""
    with lake.connect() as connection:
        customer_scores.say_why_nobody(connection, run, reason)
        return _understood(connection, run)


def decide(run: AgentRun, company: Company) -> Decided:
    """Choose for each customer: contact now, wait, leave alone; a decision is new when the choice changed or fell due."""
    works_on = scope.recall(run)
    with lake.connect(with_crm=True) as connection:
        decisions.read_previous(
            connection,
            AGENT,
            "customer",
            run.as_of,
            run.run_id,
            only=customer_scores.rows_of(connection, run),
            before=run.decided_before,
            choice=contact_policy.CONTACT,
        )
        known = (
            f"(select i.*, p.decision_id as prior_decision_id, p.last_choice_on as last_contact_on, "
            f"case when p.outcome_due_at > i.as_of then p.chosen end as standing "
            f"from {PREDICTIONS} i left join previous p on p.entity_id = i.customer_id "
            f"where i.run_id = '{run.run_id}' and i.model = '{MODEL}')"
        )
        grid = None
        if works_on and not works_on.is_whole:
            grid = f"(from {GRID} where run_id = '{works_on.whole_run}')"
        chosen = contact_policy.choose_sql(known, company.behaviour, company.prediction.horizon_days, grid)
        lake.replace_rows(
            connection,
            DECISIONS,
            run.run_id,
            f"select '{run.run_id}' as run_id, *, standing is distinct from chosen as is_new from ({chosen})",
        )
        if grid is None:
            ranked = f"(from {DECISIONS} where run_id = '{run.run_id}')"
            distribution = ranking.grid(ranked, contact_policy.revenue_ranking(company.behaviour))
            lake.replace_rows(connection, GRID, run.run_id, f"select '{run.run_id}' as run_id, * from ({distribution})")
        counts = connection.execute(
            f"select chosen, count(*), count(*) filter (is_new) from {DECISIONS} where run_id = ? group by 1 order by 1",
            [run.run_id],
        ).fetchall()
    return Decided(DECISIONS, {chosen: total for chosen, total, _ in counts}, sum(new for _, _, new in counts))


def blast_radius(run: AgentRun, company: Company) -> BlastRadius:
    """Say how far this run would move the scores that stand, and whether that needs a person's approval."""
    if run.is_backfill:
        return BlastRadius("A backfill writes the history of its day and nothing that stands.", False)
    with lake.connect(with_crm=True) as connection:
        only = customer_scores.rows_of(connection, run)
        found = [
            approval.blast_radius(
                connection,
                run,
                company.write_back,
                model=model,
                incoming=f"select customer_id as entity_id, value from {PREDICTIONS} "
                f"where run_id = '{run.run_id}' and model = '{model}'",
                only=only,
                unit=find_model(model).unit,
            )
            for model in customer_scores.CUSTOMER_MODELS
        ]
    return approval.together(found)


def execute(run: AgentRun, company: Company) -> Executed:
    """Write scores and values (with ledger), then history and decisions; safe to repeat after a crash at any point."""
    with lake.connect(with_crm=True) as connection:
        customer_scores.prepare_scores(connection, run, company)
        if run.is_backfill:
            # The same rows in any order: what was scored on other days, and who was contacted since, does not count.
            scores.write_history_of_day(connection, "incoming")
            return Executed(0, 0, 0, 0)
        _prepare_decisions(connection, run)
        models = customer_scores.CUSTOMER_MODELS
        target = scores.target(models, customer_scores.rows_of(connection, run))
        counts = writeback.write_back(connection, target, "incoming", run_id=run.run_id, decisions="behind")
        scores.write_history(models, run.run_id)
        worth = customer_values.write(connection, run, company.currency, customer_scores.customers_of(connection, run))
        added = decisions.add(
            connection,
            f"select decision_id, run_id, '{AGENT}', 'customer', customer_id, options, chosen, 'policy', 1.0, "
            f"'{contact_policy.NAME}', confidence, reason, as_of, prior_decision_id, "
            f"(as_of + {company.prediction.horizon_days})::date from run_decisions where is_new",
        )
    return Executed(
        counts.inserted + worth.inserted,
        counts.updated + worth.updated + worth.deleted,
        counts.unchanged + worth.unchanged,
        added,
    )


def explain(run: AgentRun, company: Company) -> int:
    """Write the reasons of the scores that this run changed, those that matter most first; return the rows written."""
    contacts = (
        f"select customer_id from {DECISIONS} where run_id = '{run.run_id}' and chosen = '{contact_policy.CONTACT}'"
    )
    with lake.connect(with_crm=True) as connection:
        return customer_scores.explain(connection, run, company.behaviour.reasons_limit, contacts)


def evaluate(run: AgentRun, company: Company) -> Evaluated:
    """Join what happened to this agent's decisions that have fallen due by as_of; of erased customers nothing is known."""
    with lake.connect(with_crm=True) as connection:
        return customers.join_outcomes(connection, AGENT, run.as_of)


def _understood(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> Understood:
    rows = connection.execute(
        "select model, count(value), count(*) - count(value), any_value(method), any_value(model_version) "
        f"from {PREDICTIONS} where run_id = ? group by 1 order by 1",
        [run.run_id],
    ).fetchall()
    return Understood(
        PREDICTIONS,
        scored=sum(row[1] for row in rows),
        not_scored=sum(row[2] for row in rows),
        method=", ".join(f"{row[0]}: {row[3]}" for row in rows),
        model_version=", ".join(f"{row[0]}: {row[4] or customer_scores.NOBODY}" for row in rows),
    )


def _prepare_decisions(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> None:
    """Fill ``run_decisions`` and ``behind`` (the decision behind each score that one was made by)."""
    connection.execute(
        f"create or replace temp view run_decisions as select *, '{run.run_id}:' || customer_id as decision_id "
        f"from {DECISIONS} where run_id = '{run.run_id}'"
    )
    connection.execute(
        f"create or replace temp view behind as select 'customer' as entity_type, customer_id as entity_id, '{MODEL}' as model, "
        "case when is_new then decision_id else prior_decision_id end as decision_id from run_decisions"
    )
