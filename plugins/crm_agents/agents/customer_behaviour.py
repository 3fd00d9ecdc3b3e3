"""The customer behaviour agent: who is likely to buy next, why, and whom to contact now.

Scores every customer with the purchase champion, decides for each one whether to contact now, wait or leave alone,
writes what changed, explains it, and joins what happened to earlier decisions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents import approval, decisions, lake, model_versions, registry, scores, usability, writeback
from crm_agents.agents import contact_policy, customers, ranking, scope
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
from crm_agents.company_settings import Behaviour
from crm_agents.errors import CrmAgentsError
from crm_agents.model_catalog import find_model

if TYPE_CHECKING:
    import duckdb

AGENT = "customer_behaviour_agent"
MODEL = "purchase_propensity"
PREDICTIONS = "predictions.purchase_propensity"
DECISIONS = "predictions.customer_decisions"
GRID = f"predictions.{MODEL}_grid"
WORKING_TABLES = (PREDICTIONS, DECISIONS, GRID)


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
    served = _served(run)
    if served.model is not None:
        version = served.model.version
        why = f" The champion cannot: {served.problem}" if served.problem else ""
        return Readiness(
            "ready", f"{MODEL} version {version.version} serves ({version.method}, grade {version.grade}).{why}"
        )
    if served.problem:
        return Readiness("waiting", served.problem)
    too_thin = registry.why_not_trained(MODEL, run.as_of)
    if too_thin:
        return Readiness("hopeless", too_thin)
    return Readiness("waiting", f"{MODEL} has not been trained yet.")


def understand(run: AgentRun, company: Company) -> Understood:
    """Score every customer that has bought (or those whose features changed, see `scope`); the others say why not.

    Raises
    ------
    CrmAgentsError
        When neither the champion nor its baseline can be used.
    """
    version, model = _champion(run)
    features = ", ".join(f'"{name}"' for name in model.features)
    with lake.connect() as connection:
        rows = scope.settle(connection, run, company, customers.FEATURES, version.version).rows(customers.FEATURES)
        frame = connection.execute(
            f"select customer_id, {features} from {rows} where as_of = ? and has_purchased", [run.as_of]
        ).df()
        frame["value"] = model.predict(frame)
        connection.register("scored", frame[["customer_id", "value"]])
        return _store_predictions(
            connection,
            run,
            f"select '{run.run_id}' as run_id, customer_id, s.value, "
            f"case when s.value is null then 'not_scored' else 'scored' end as status, "
            f"case when s.value is null then '{customers.NO_PURCHASE_YET}' end as status_reason, "
            f"'{version.method}' as method, '{version.version}' as model_version, average_order_value, as_of "
            f"from {rows} left join scored s using (customer_id) where as_of = date '{run.as_of}'",
        )


def not_scored(run: AgentRun, reason: str) -> Understood:
    """Prepare the honest answer where data are too thin: every customer without a score, and with the reason."""
    quoted = reason.replace("'", "''")
    with lake.connect() as connection:
        return _store_predictions(
            connection,
            run,
            f"select '{run.run_id}' as run_id, customer_id, null::double as value, 'not_scored' as status, "
            f"'{quoted}' as status_reason, 'none' as method, null::varchar as model_version, average_order_value, as_of "
            f"from {customers.FEATURES} where as_of = date '{run.as_of}'",
        )


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
            only=_only(connection, run),
            before=run.decided_before,
            choice=contact_policy.CONTACT,
        )
        known = (
            f"(select i.*, p.decision_id as prior_decision_id, p.last_choice_on as last_contact_on, "
            f"case when p.outcome_due_at > i.as_of then p.chosen end as standing "
            f"from {PREDICTIONS} i left join previous p on p.entity_id = i.customer_id where i.run_id = '{run.run_id}')"
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
            _keep_grid(connection, run, company.behaviour)
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
        incoming = f"select customer_id as entity_id, value from {DECISIONS} where run_id = '{run.run_id}'"
        only = _only(connection, run)
        return approval.blast_radius(connection, run, company.write_back, model=MODEL, incoming=incoming, only=only)


def execute(run: AgentRun, company: Company) -> Executed:
    """Write scores (with ledger), then history and decisions; safe to repeat after a crash at any point."""
    with lake.connect(with_crm=True) as connection:
        _prepare_scores(connection, run, company)
        if run.is_backfill:
            # The same rows in any order: what was scored on other days, and who was contacted since, does not count.
            scores.write_history_of_day(connection, "incoming")
            return Executed(0, 0, 0, 0)
        target = scores.target(MODEL, _only(connection, run))
        counts = writeback.write_back(connection, target, "incoming", run_id=run.run_id, decisions="behind")
        scores.write_history(MODEL, run.run_id)
        added = decisions.add(
            connection,
            f"select decision_id, run_id, '{AGENT}', 'customer', customer_id, options, chosen, 'policy', 1.0, "
            f"'{contact_policy.NAME}', confidence, reason, as_of, prior_decision_id, "
            f"(as_of + {company.prediction.horizon_days})::date from run_decisions where is_new",
        )
    return Executed(counts.inserted, counts.updated, counts.unchanged, added)


def explain(run: AgentRun, company: Company) -> int:
    """Write the reasons of the scores that this run changed, those that matter most first; return the rows written."""
    works_on = scope.recall(run)
    if works_on is None:
        return 0  # nobody was scored
    _, model = _champion(run)
    features = ", ".join(f'f."{name}"' for name in model.features)
    with lake.connect(with_crm=True) as connection:
        frame = connection.execute(
            f"select f.customer_id as entity_id, {features} from {works_on.rows(customers.FEATURES)} f "
            f"join {DECISIONS} d on d.customer_id = f.customer_id and d.run_id = '{run.run_id}' and d.value is not null "
            f"join postgres_query('crm_db', 'select entity_id from crm_ai.scores where model = ''{MODEL}'' and run_id = "
            f"''{run.run_id}''') s on s.entity_id = f.customer_id where f.as_of = date '{run.as_of}' "
            f"order by d.chosen = 'contact_now' desc, d.value desc, f.customer_id limit {company.behaviour.reasons_limit}"
        ).df()
        connection.register("reasons", model.reasons(frame))
        return scores.replace_reasons(connection, MODEL, run.run_id, "reasons")


def evaluate(run: AgentRun, company: Company) -> Evaluated:
    """Join what happened to this agent's decisions that have fallen due by as_of; of erased customers nothing is known."""
    with lake.connect(with_crm=True) as connection:
        decisions.read_due(connection, AGENT, run.as_of)
        connection.execute(
            """
            create or replace temp table outcomes as
            select d.decision_id, d.chosen, max(d.outcome_due_at) as outcome_at,
                case
                    when count(c.customer_id) = 0 then 'gone'
                    when count(o.order_id) > 0 then 'purchased' else 'no_purchase'
                end as outcome,
                case when count(c.customer_id) > 0 then coalesce(sum(o.revenue_amount), 0)::double end as outcome_value
            from due d
            left join marts.dim_customers c on c.customer_id = d.entity_id
            left join marts.fct_orders o
                on o.customer_id = d.entity_id and o.is_purchase
                and o.ordered_on > d.as_of and o.ordered_on <= d.outcome_due_at
            group by d.decision_id, d.chosen
            """
        )
        by_choice = connection.execute(
            "select chosen, count(*), avg((outcome = 'purchased')::int), avg(outcome_value) from outcomes "
            "where outcome <> 'gone' group by 1"
        ).fetchall()
        joined = decisions.write_outcomes(connection, "outcomes")
    return Evaluated(
        joined,
        {
            chosen: {"decisions": count, "bought_share": bought, "mean_revenue": revenue}
            for chosen, count, bought, revenue in sorted(by_choice)
        },
    )


def _champion(run: AgentRun) -> tuple[registry.ModelVersion, registry.ServingModel]:
    works_on = scope.recall(run)
    if works_on is not None:  # whoever was promoted since, a run ends with the version that it began with
        version = model_versions.find(MODEL, works_on.model_version)
        return version, registry.load(version)
    served = _served(run)
    if served.model is None:
        raise CrmAgentsError(champion_readiness(run).reason, "Train first: `crm-agents run train_models`.")
    return served.model.version, served.model


def _served(run: AgentRun) -> registry.Served:
    """Return who can score with the columns that the features have today."""
    with lake.connect() as connection:
        columns = {row[0] for row in connection.execute("describe features.ftr_customers").fetchall()}
    return registry.usable(MODEL, run.as_of, columns)


def _store_predictions(connection: duckdb.DuckDBPyConnection, run: AgentRun, query: str) -> Understood:
    lake.replace_rows(connection, PREDICTIONS, run.run_id, query)
    row = connection.execute(
        f"select count(value), count(*) - count(value), any_value(method), any_value(model_version) from {PREDICTIONS} "
        "where run_id = ?",
        [run.run_id],
    ).fetchone()
    scored, unscored, method, version = row or (0, 0, "none", None)
    return Understood(PREDICTIONS, scored, unscored, method, version or "")


def _keep_grid(connection: duckdb.DuckDBPyConnection, run: AgentRun, behaviour: Behaviour) -> None:
    """Keep the distribution that this whole run ranked in, for the runs that follow it on the same day."""
    ranked = f"(from {DECISIONS} where run_id = '{run.run_id}')"
    grids = " union all ".join(f"({ranking.grid(ranked, it)})" for it in contact_policy.rankings(behaviour))
    query = f"select '{run.run_id}' as run_id, measure, value, percentile from ({grids})"
    lake.replace_rows(connection, GRID, run.run_id, query)


def _only(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> str:
    """Return the SQL condition on ``entity_id`` in PostgreSQL that holds for the customers that `run` works on."""
    works_on = scope.recall(run)
    if works_on is None or works_on.is_whole:
        return "true"
    customers = f"select customer_id from {PREDICTIONS} where run_id = '{run.run_id}'"
    return f"entity_type = 'customer' and {lake.among(connection, 'entity_id', customers)}"


def _prepare_scores(connection: duckdb.DuckDBPyConnection, run: AgentRun, company: Company) -> None:
    """Fill ``incoming`` (rows of crm_ai.scores), ``run_decisions`` and ``behind`` (the decision behind each score)."""
    connection.execute(
        f"create or replace temp view run_decisions as select *, '{run.run_id}:' || customer_id as decision_id "
        f"from {DECISIONS} where run_id = '{run.run_id}'"
    )
    only = _only(connection, run).replace("'", "''")
    connection.execute(
        f"""
        create or replace temp table incoming as
        select 'customer' as entity_type, customer_id as entity_id, '{MODEL}' as model, value, grade, status, status_reason,
            model_version, 'probability' as unit, percentile, value - before.old_value as trend, method, as_of,
            (as_of + {company.write_back.score_valid_days})::date as valid_until, '{run.run_id}' as run_id
        from run_decisions
        left join postgres_query('crm_db', '
            select entity_id, value as old_value from crm_ai.scores where model = ''{MODEL}'' and {only}
        ') before on before.entity_id = customer_id
        """
    )
    connection.execute(
        f"create or replace temp view behind as select 'customer' as entity_type, customer_id as entity_id, '{MODEL}' as model, "
        "case when is_new then decision_id else prior_decision_id end as decision_id from run_decisions"
    )
