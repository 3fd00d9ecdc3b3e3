"""What a model is trained and judged on: rows of the feature and label tables at cut-offs in time, at one snapshot."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from crm_agents import horizons, lake, marts, purchase_log
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError
from crm_agents.marts import TrainingCutoffs
from crm_agents.usability import TrainingStatistics

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from crm_agents.model_catalog import ModelSpec
    from models_ml.core.leakage import Times
    from models_ml.core.repeated_rows import RepeatedRows

# Beyond this, more customers no longer change a shallow model; a fixed share of the customers is kept, at every cut-off.
MAX_ROWS = 1_000_000


@dataclass(frozen=True)
class TrainingData:
    """The rows of one training run."""

    training: pd.DataFrame
    holdout: pd.DataFrame
    cutoffs: TrainingCutoffs
    snapshot: int
    statistics: TrainingStatistics


def cutoffs(company: Company, as_of: date, first_event_on: date | None, horizon_days: int) -> TrainingCutoffs:
    """Return the cut-offs of a training run on `as_of`; no training cut-offs when the history is too short for one."""
    try:
        return marts.training_cutoffs(company, as_of, first_event_on, horizon_days)
    except CrmAgentsError:
        return TrainingCutoffs(as_of - timedelta(days=horizon_days), (), horizon_days)


def first_purchase_on(as_of: date) -> date | None:
    """Return the day of the first purchase known on `as_of`, None when there is none.

    Raises
    ------
    CrmAgentsError
        When the marts have not been built.
    """
    import duckdb

    with lake.connect() as connection:
        try:
            row = connection.execute(
                "select min(ordered_on) from marts.fct_orders where is_purchase and ordered_on <= ?", [as_of]
            ).fetchone()
        except duckdb.CatalogException as error:
            raise CrmAgentsError(
                "The lake has no marts.fct_orders yet.",
                f"Build it first: `crm-agents run build_marts --as-of {as_of}`.",
            ) from error
    return row[0] if row else None


def read(spec: ModelSpec, company: Company, as_of: date) -> TrainingData:
    """Read training rows, holdout rows and what the ladder needs, all from the lake's newest snapshot.

    Raises
    ------
    CrmAgentsError
        When the features have not been built.
    """
    if spec.learns_from != "features":
        return TrainingData(*purchase_log.training_rows(spec, company, as_of))
    horizon_days = horizons.horizon_days(spec, company, as_of)
    with lake.connect() as connection:
        snapshot = lake.current_snapshot(connection)
        columns = _columns(connection, spec, as_of)
        entities, history_days = _population(connection, spec, as_of, snapshot, horizon_days)
        first_on = as_of - timedelta(days=history_days) if entities else None
        days = cutoffs(company, as_of, first_on, horizon_days)
        rows = _labelled_rows(connection, spec, columns, days, snapshot)
    is_holdout = rows["as_of"] == days.test
    training, holdout = rows[~is_holdout].reset_index(drop=True), rows[is_holdout].reset_index(drop=True)
    empty = TrainingStatistics(entities, history_days, 0, 0, 0, 0, 0, spec.entities_are, spec.positive_is)
    return TrainingData(training, holdout, days, snapshot, _counted(spec, training, holdout, empty))


def without_repeats(spec: ModelSpec, data: TrainingData) -> tuple[TrainingData, RepeatedRows]:
    """Return the data without training rows that are also in the holdout, where these are many; and what was found."""
    from models_ml.core.repeated_rows import repeated_rows

    config = spec.module("config")
    # of a model of purchases the holdout holds the same purchases, as what is known, and those after them
    columns = [*config.FEATURES, *config.SLICES] if spec.learns_from == "features" else []
    repeated = repeated_rows(data.training, data.holdout, columns)
    if not repeated.is_material:
        return data, repeated
    training = data.training[~repeated.is_copy].reset_index(drop=True)
    statistics = _counted(spec, training, data.holdout, data.statistics)
    return replace(data, training=training, statistics=statistics), repeated


def outcomes_since(spec: ModelSpec, trained_as_of: date, as_of: date) -> tuple[int, int] | None:
    """Return how many outcomes came after the last training, and how many were known then; None when none are declared.

    Raises
    ------
    CrmAgentsError
        When the marts that they are read from have not been built.
    """
    import duckdb

    if spec.outcome is None:
        return None
    with lake.connect() as connection:
        try:
            row = connection.execute(
                "select count(*) filter (happened_on > $trained), count(*) filter (happened_on <= $trained) "
                f"from ({spec.outcome.events}) where happened_on <= $today",
                {"trained": trained_as_of, "today": as_of},
            ).fetchone()
        except duckdb.CatalogException as error:
            raise CrmAgentsError(
                f"Outcomes of {spec.name} cannot be counted: {str(error).splitlines()[0]}",
                f"Build the marts first: `crm-agents run build_marts --as-of {as_of}`.",
            ) from error
    return (int(row[0]), int(row[1])) if row else (0, 0)


def times(spec: ModelSpec) -> Times:
    """Return which columns of the model's rows say when something was known."""
    from models_ml.core.leakage import Times

    return getattr(spec.module("config"), "TIMES", Times())


def _counted(
    spec: ModelSpec, training: pd.DataFrame, holdout: pd.DataFrame, base: TrainingStatistics
) -> TrainingStatistics:
    """Return `base` with the counts over these rows; a label above 0 counts as positive."""
    label = spec.module("config").LABEL
    positive, held = (rows[label].to_numpy(dtype=float) > 0 for rows in (training, holdout))
    return replace(
        base,
        training_cutoffs=training["as_of"].nunique(),
        positives=int(positive.sum()),
        negatives=int((~positive).sum()),
        holdout_positives=int(held.sum()),
        holdout_negatives=int((~held).sum()),
        missing_shares={name: _missing_share(training, name) for name in spec.required_columns if len(training)},
    )


def training_key(
    spec: ModelSpec, data: TrainingData, company: Company, as_of: date, rung: str, excluded: frozenset[str]
) -> str:
    """Return the hash of everything that decides what training gives: data, day, settings, rung and columns left out.

    The rows count, not the snapshot's number: a snapshot in which these rows did not change is the same training set.
    """
    from pandas.util import hash_pandas_object

    total = hashlib.sha256()
    for rows in (data.training, data.holdout):
        total.update(hash_pandas_object(rows, index=False).to_numpy().tobytes())
    config = {key: repr(value) for key, value in vars(spec.module("config")).items() if key.isupper()}
    asked = {**company.prediction.model_dump(), "horizon_days": data.cutoffs.horizon_days}
    settings = [spec.name, as_of.isoformat(), asked, config, rung, sorted(excluded)]
    total.update(json.dumps(settings, sort_keys=True).encode())
    return total.hexdigest()


def _columns(connection: duckdb.DuckDBPyConnection, spec: ModelSpec, as_of: date) -> list[str]:
    """Return the model's features and slices that the feature table has."""
    import duckdb

    config = spec.module("config")
    try:
        present = {row[0] for row in connection.execute(f"describe {spec.features_table}").fetchall()}
        connection.execute(f"describe {spec.labels_table}")
    except duckdb.Error as error:
        raise CrmAgentsError(
            f"{spec.name} cannot be trained: the lake has no {spec.features_table} or no {spec.labels_table} yet.",
            f"Build them first: `crm-agents run build_marts --as-of {as_of}`.",
        ) from error
    wanted = dict.fromkeys((*config.SLICES, *config.FEATURES, *times(spec).columns))
    return [name for name in wanted if name in present]


def _labelled_rows(
    connection: duckdb.DuckDBPyConnection,
    spec: ModelSpec,
    columns: list[str],
    days: TrainingCutoffs,
    snapshot: int,
) -> pd.DataFrame:
    config = spec.module("config")
    chosen = ", ".join(f"date '{day}'" for day in days.all)
    source = (
        f"(from {spec.features_table} at (version => {snapshot})) f "
        f"join (from {spec.labels_table} at (version => {snapshot})) l "
        f"on l.{config.ENTITY} = f.{config.ENTITY} and l.as_of = f.as_of and l.horizon_days = {days.horizon_days} "
        f"where f.as_of in ({chosen}) and {spec.of(days.horizon_days)}"
    )
    row = connection.execute(f"select count(*) from {source}").fetchone()
    share = math.floor(10_000 * min(1.0, MAX_ROWS / max(row[0] if row else 0, 1)))
    names = "".join(f', f."{name}"' for name in columns)
    rows = connection.execute(
        f"select f.{config.ENTITY}, f.as_of, true as {config.POPULATION}{names}, l.{config.LABEL} from {source} "
        f"and hash(f.{config.ENTITY}) % 10000 < {share} order by f.as_of, f.{config.ENTITY}"
    ).df()
    rows["as_of"] = rows["as_of"].dt.date
    return rows


def _population(
    connection: duckdb.DuckDBPyConnection, spec: ModelSpec, as_of: date, snapshot: int, horizon_days: int
) -> tuple[int, int]:
    """Return the entities in the population on `as_of`, and the days since the first event of anybody."""
    row: Any = connection.execute(
        f"select count(*), count(*) filter ({spec.of(horizon_days)}), max({spec.history_column}) "
        f"from {spec.features_table} at (version => {snapshot}) where as_of = ?",
        [as_of],
    ).fetchone()
    if not row[0]:
        raise CrmAgentsError(
            f"{spec.name} cannot be trained: {spec.features_table} has no rows as of {as_of}.",
            f"Build them first: `crm-agents run build_marts --as-of {as_of}`.",
        )
    return int(row[1]), int(row[2] or 0)


def _missing_share(rows: pd.DataFrame, column: str) -> float:
    return float(rows[column].isna().mean()) if column in rows.columns else 1.0
