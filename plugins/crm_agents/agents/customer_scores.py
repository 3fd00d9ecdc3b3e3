"""Scores of customers: every model of customers that serves, asked, ranked and explained side by side.

A model that waits for its first training is left out of a run; one whose data are too thin says so of every customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from crm_agents import lake, model_versions, purchase_log, registry, scores
from crm_agents.agents import customer_values, customers, ranking, scope
from crm_agents.agents.frame import AgentRun, Readiness
from crm_agents.agents.ranking import Ranking
from crm_agents.company import Company
from crm_agents.company_settings import Behaviour
from crm_agents.model_catalog import MODELS, ModelSpec, find_model

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from crm_agents.agents.scope import Scope

CUSTOMER_MODELS = tuple(spec.name for spec in MODELS if spec.entity_type == "customer" and spec.gives == "score")
PREDICTIONS = "predictions.customer_predictions"
GRID = "predictions.customer_predictions_grid"
NOBODY = "none"  # in the place of a version: too little data for any


def readiness(run: AgentRun, model: str) -> Readiness:
    """Tell whether a champion of `model` serves on this day; when none does, whether one can be expected."""
    served = _served(run, model)
    if served.model is not None:
        version = served.model.version
        why = f" The champion cannot: {served.problem}" if served.problem else ""
        return Readiness(
            "ready", f"{model} version {version.version} serves ({version.method}, grade {version.grade}).{why}"
        )
    if served.problem:
        return Readiness("waiting", served.problem)
    too_thin = registry.why_not_trained(model, run.as_of)
    if too_thin:
        return Readiness("hopeless", too_thin)
    return Readiness("waiting", f"{model} has not been trained yet.")


def overall_readiness(run: AgentRun) -> Readiness:
    """Tell whether any model of customers can serve: one that does is enough to work with."""
    found = [readiness(run, model) for model in CUSTOMER_MODELS]
    states = {one.state for one in found}
    state = next(state for state in ("ready", "waiting", "hopeless") if state in states)
    return Readiness(state, " ".join(one.reason for one in found))


def versions(run: AgentRun) -> dict[str, str]:
    """Return the version that serves of each model of customers; `NOBODY` where data are too thin, no entry while it waits."""
    found = {}
    for model in CUSTOMER_MODELS:
        served = _served(run, model)
        if served.model is not None:
            found[model] = served.model.version.version
        elif not served.problem and registry.why_not_trained(model, run.as_of):
            found[model] = NOBODY
    return found


def serving(works_on: Scope) -> dict[str, registry.ServingModel]:
    """Load the versions that a run was settled on: whoever was promoted since, it ends with those it began with."""
    return {
        model: registry.load(model_versions.find(model, version))
        for model, version in works_on.versions.items()
        if version != NOBODY
    }


def predict(connection: duckdb.DuckDBPyConnection, run: AgentRun, company: Company, works_on: Scope) -> None:
    """Fill `PREDICTIONS`: a row for each customer that the run works on and each model, with rank and grade or a reason."""
    rows = works_on.rows(customers.FEATURES)
    models = serving(works_on)
    found = _found(connection, run, rows, works_on, models)
    parts = {
        name: _scored(connection, run, rows, models[name], found[name])
        if name in models
        else _unscored(run, rows, name, registry.why_not_trained(name, run.as_of) or "")
        for name in works_on.versions
    }
    _store(connection, run, company.behaviour, parts, works_on)


def say_why_nobody(connection: duckdb.DuckDBPyConnection, run: AgentRun, reason: str) -> None:
    """Fill `PREDICTIONS` where there is too little to score anybody with any model: the reason, for every customer."""
    customer_values.nobody(connection, run)
    parts = " union all ".join(_unscored(run, customers.FEATURES, name, reason) for name in CUSTOMER_MODELS)
    query = f"select *, null::double as percentile, null::varchar as grade from ({parts})"
    lake.replace_rows(connection, PREDICTIONS, run.run_id, query)


def prepare_scores(connection: duckdb.DuckDBPyConnection, run: AgentRun, company: Company) -> None:
    """Fill the temporary table ``incoming`` (rows of crm_ai.scores, of every model)."""
    only = rows_of(connection, run).replace("'", "''")
    connection.execute(
        f"""
        create or replace temp table incoming as
        select 'customer' as entity_type, customer_id as entity_id, p.model, value, grade, status, status_reason,
            model_version, unit, percentile, value - before.old_value as trend, method, as_of,
            (as_of + {company.write_back.score_valid_days})::date as valid_until, run_id
        from {PREDICTIONS} p
        left join postgres_query('crm_db', '
            select entity_id, model, value as old_value from crm_ai.scores where {only}
        ') before on before.entity_id = customer_id and before.model = p.model
        where run_id = '{run.run_id}'
        """
    )


def rows_of(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> str:
    """Return the SQL condition on ``entity_id`` in PostgreSQL that holds for the customers that `run` works on."""
    those = customers_of(connection, run, "entity_id")
    return those if those == "true" else f"entity_type = 'customer' and {those}"


def customers_of(connection: duckdb.DuckDBPyConnection, run: AgentRun, column: str = "customer_id") -> str:
    """Return the SQL condition on `column` in PostgreSQL that holds for the customers that `run` works on."""
    works_on = scope.recall(run)
    if works_on is None or works_on.is_whole:
        return "true"
    those = f"select distinct customer_id from {PREDICTIONS} where run_id = '{run.run_id}'"
    return lake.among(connection, column, those)


def explain(connection: duckdb.DuckDBPyConnection, run: AgentRun, limit: int, first: str) -> int:
    """Write the reasons of the scores that `run` changed, at most `limit` of each model; return the rows written.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    first : str
        SELECT of customer_id: whose reasons matter most. The others follow, highest value first.
    """
    works_on = scope.recall(run)
    if works_on is None:
        return 0  # nobody was scored
    written = 0
    for name, model in serving(works_on).items():
        columns, rows = list(model.features), works_on.rows(customers.FEATURES)
        if find_model(name).learns_from != "features":
            columns, rows = customer_values.explained(connection, run)
        features = ", ".join(f'f."{column}"' for column in columns)
        frame = connection.execute(
            f"select f.customer_id as entity_id, {features} from {rows} f "
            f"join {PREDICTIONS} p on p.customer_id = f.customer_id and p.run_id = '{run.run_id}' and p.model = '{name}' "
            f"and p.value is not null "
            f"join postgres_query('crm_db', 'select entity_id from crm_ai.scores where model = ''{name}'' and run_id = "
            f"''{run.run_id}''') s on s.entity_id = f.customer_id left join ({first}) m on m.customer_id = f.customer_id "
            f"where f.as_of = date '{run.as_of}' "
            f"order by m.customer_id is not null desc, p.value desc, f.customer_id limit {limit}"
        ).df()
        connection.register("reasons", model.reasons(frame))
        written += scores.replace_reasons(connection, name, run.run_id, "reasons")
    return written


def _served(run: AgentRun, model: str) -> registry.Served:
    """Return who can score with the columns that its input has today."""
    learns_from = find_model(model).learns_from
    if learns_from != "features":
        return registry.usable(model, run.as_of, purchase_log.COLUMNS[learns_from])
    with lake.connect() as connection:
        columns = {row[0] for row in connection.execute(f"describe {customers.FEATURES}").fetchall()}
    return registry.usable(model, run.as_of, columns)


def _found(
    connection: duckdb.DuckDBPyConnection,
    run: AgentRun,
    rows: str,
    works_on: Scope,
    models: Mapping[str, registry.ServingModel],
) -> dict[str, pd.DataFrame]:
    """Return, for each model, the customer_id and value of those that it scores."""
    of_features = {name: model for name, model in models.items() if find_model(name).learns_from == "features"}
    found = {}
    if of_features:
        frame = _features(connection, run, rows, of_features)
        for name, model in of_features.items():
            inside = frame[f"in {name}"].to_numpy(dtype=bool)
            own = frame if inside.all() else frame[inside]
            found[name] = own[["customer_id"]].assign(value=model.predict(own))
    if customer_values.MODEL in models:
        model = models[customer_values.MODEL]
        found[customer_values.MODEL] = customer_values.predict(connection, run, rows, works_on, model)
    else:
        customer_values.nobody(connection, run)
    return found


def _features(
    connection: duckdb.DuckDBPyConnection, run: AgentRun, rows: str, models: Mapping[str, registry.ServingModel]
) -> pd.DataFrame:
    """Return the columns that the models read, of the customers that any of them scores, and for each model which those are."""
    columns = ", ".join(f'"{name}"' for name in dict.fromkeys(name for it in models.values() for name in it.features))
    inside = {name: find_model(name).of(model.horizon_days) for name, model in models.items()}
    masks = ", ".join(f'coalesce({condition}, false) as "in {name}"' for name, condition in inside.items())
    return connection.execute(
        f"select customer_id, {columns}, {masks} from {rows} where as_of = ? and ({' or '.join(inside.values())})",
        [run.as_of],
    ).df()


def _scored(
    connection: duckdb.DuckDBPyConnection,
    run: AgentRun,
    rows: str,
    model: registry.ServingModel,
    found: pd.DataFrame,
) -> str:
    version, spec = model.version, find_model(model.version.model)
    connection.register(f"scored_{spec.name}", found)
    outside = _text(spec.not_in_population.format(horizon_days=model.horizon_days))
    return (
        f"select {_head(run, spec)}, s.value, case when s.value is null then 'not_scored' else 'scored' end as status, "
        f"case when s.value is not null then null when has_purchased then {outside} else {_text(customers.NO_PURCHASE_YET)} "
        f"end as status_reason, '{version.method}' as method, '{version.version}' as model_version "
        f"from {rows} left join scored_{spec.name} s using (customer_id) where as_of = date '{run.as_of}'"
    )


def _unscored(run: AgentRun, rows: str, model: str, reason: str) -> str:
    return (
        f"select {_head(run, find_model(model))}, null::double as value, 'not_scored' as status, {_text(reason)} as "
        f"status_reason, 'none' as method, null::varchar as model_version from {rows} where as_of = date '{run.as_of}'"
    )


def _head(run: AgentRun, spec: ModelSpec) -> str:
    return (
        f"'{run.run_id}' as run_id, customer_id, '{spec.name}' as model, '{spec.unit}' as unit, "
        "average_order_value, as_of"
    )


def _store(
    connection: duckdb.DuckDBPyConnection, run: AgentRun, behaviour: Behaviour, parts: dict[str, str], works_on: Scope
) -> None:
    """Rank each model's part, and keep the distributions of a whole run for the runs that follow it on the same day."""
    place = Ranking("value", "percentile", tuple(behaviour.grade_bands.values()))
    ranked = [
        ranking.among_themselves(f"({part})", place)
        if works_on.is_whole
        else ranking.within(f"({part})", place, _grid_of(works_on.whole_run, model))
        for model, part in parts.items()
    ]
    graded = ranking.graded(f"({' union all by name '.join(f'({part})' for part in ranked)})", behaviour.grade_bands)
    lake.replace_rows(connection, PREDICTIONS, run.run_id, graded)
    if works_on.is_whole:
        own = {model: f"(from {PREDICTIONS} where run_id = '{run.run_id}' and model = '{model}')" for model in parts}
        grids = [
            f"select '{run.run_id}' as run_id, '{model}' as model, value, percentile from ({ranking.grid(rows, place)})"
            for model, rows in own.items()
        ]
        lake.replace_rows(connection, GRID, run.run_id, " union all ".join(grids))


def _grid_of(run_id: str, model: str) -> str:
    return f"(select 'value' as measure, value, percentile from {GRID} where run_id = '{run_id}' and model = '{model}')"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
