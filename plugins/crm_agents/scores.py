"""The tables ``crm_ai.scores``, ``score_history`` and ``score_reasons``: how any model's scores are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.writeback import Target, copy_csv, export_csv, scratch_folder

if TYPE_CHECKING:
    import duckdb

HISTORY_KEY = "entity_type, entity_id, model, as_of"
HISTORY_VALUES = (
    "value",
    "unit",
    "grade",
    "percentile",
    "status",
    "status_reason",
    "method",
    "model_version",
    "run_id",
)


def target(model: str) -> Target:
    """Return how rows of `model` in ``crm_ai.scores`` are compared (DESIGN section 8: what counts as changed)."""
    return Target(
        table="crm_ai.scores",
        key=("entity_type", "entity_id", "model"),
        compared=("value", "grade", "status", "status_reason", "model_version"),
        carried=("unit", "percentile", "trend", "method", "as_of", "valid_until", "run_id"),
        scope=f"model = '{model}'",
        tolerances={"value": 1e-6},
        never_when="new.as_of < old.as_of",
        renew_when="old.valid_until - new.as_of < (new.valid_until - new.as_of) // 2",
    )


def write_history(model: str, run_id: str) -> int:
    """Add the scores that `run_id` wrote to the history; the last score given for a day is the one that stays."""
    columns = f"{HISTORY_KEY}, {', '.join(HISTORY_VALUES)}"
    updates = ", ".join(f"{name} = excluded.{name}" for name in HISTORY_VALUES)
    with postgres.connect() as crm:
        return crm.execute(
            f"insert into crm_ai.score_history ({columns}) select {columns} from crm_ai.scores "
            f"where model = %s and run_id = %s on conflict ({HISTORY_KEY}) do update set {updates}",
            (model, run_id),
        ).rowcount


def replace_reasons(connection: duckdb.DuckDBPyConnection, model: str, run_id: str, reasons: str) -> int:
    """Replace the reasons of every score that `run_id` wrote.

    Parameters
    ----------
    reasons : str
        DuckDB relation (entity_id, rank, direction, feature, feature_value, contribution, statement).

    Returns
    -------
    int
        Rows written. A changed score that is not in `reasons` (beyond the limit) loses its old ones: none is better than
        stale.
    """
    columns = "entity_type, entity_id, model, rank, direction, feature, feature_value, contribution, statement, run_id"
    with scratch_folder() as folder, postgres.connect() as crm, crm.cursor() as cursor:
        path = folder / "reasons.csv"
        export_csv(
            connection,
            f"select 'customer', entity_id, '{model}', rank, direction, feature, feature_value, contribution, statement, "
            f"'{run_id}' from {reasons}",
            path,
        )
        cursor.execute(
            "delete from crm_ai.score_reasons r using crm_ai.scores s where s.run_id = %s and s.model = %s and "
            "(r.entity_type, r.entity_id, r.model) = (s.entity_type, s.entity_id, s.model)",
            (run_id, model),
        )
        copy_csv(cursor, "crm_ai.score_reasons", columns, path)
        return cursor.rowcount
