"""The table ``crm_ai.models``: every model version with its grade, and who served from which day on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from crm_agents import postgres
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    import psycopg

COLUMNS = (
    "model",
    "version",
    "alias",
    "method",
    "grade",
    "primary_metric",
    "metrics",
    "baseline_metrics",
    "trained_at",
    "trained_as_of",
    "promoted_at",
    "retired_at",
    "training_snapshot",
    "artifact_uri",
    "artifact_sha256",
    "card_uri",
    "decision",
    "training_key",
)


@dataclass(frozen=True)
class ModelVersion:
    """One row of ``crm_ai.models``.

    Attributes
    ----------
    method : str
        ``"champion"`` for a model, ``"simpler_model"`` or ``"rule"`` where data were too thin for one, ``"baseline"`` for
        the rule of thumb that it had to beat: what its scores carry.
    trained_as_of : date
        The day it was trained for: nothing later was known to it.
    artifact_uri : str
        Folder of its files, relative to the installation's model folder.
    training_key : str
        Hash of data, day and settings that it was trained on.
    """

    model: str
    version: str
    alias: str | None
    method: str
    grade: str | None
    primary_metric: str | None
    metrics: dict[str, Any]
    baseline_metrics: dict[str, Any]
    trained_at: datetime | None
    trained_as_of: date | None
    promoted_at: datetime | None
    retired_at: datetime | None
    training_snapshot: int | None
    artifact_uri: str | None
    artifact_sha256: str | None
    card_uri: str | None
    decision: str | None
    training_key: str | None


def champion(model: str, as_of: date | None = None) -> ModelVersion | None:
    """Return the version that serves `model` on day `as_of` (default: now), None when none does.

    A version promoted on a later day is never returned, however late the question is asked: a backfill sees the champion
    of that day.
    """
    with postgres.connect() as crm:
        return _champion(crm, model, as_of)


def find(model: str, version: str) -> ModelVersion:
    """Return one version of `model`.

    Raises
    ------
    CrmAgentsError
        When it is not known.
    """
    found = _select("where model = %(model)s and version = %(version)s", {"model": model, "version": version})
    if not found:
        raise CrmAgentsError(f"{model} has no version {version}.", "`crm-agents models` lists every version.")
    return found[0]


def versions(model: str | None = None) -> list[ModelVersion]:
    """Return every version, of one model or of all, newest first."""
    return _select(
        "where %(model)s::text is null or model = %(model)s order by model, trained_at desc", {"model": model}
    )


def trained_with(model: str, training_key: str) -> ModelVersion | None:
    """Return the version of `model` that was trained on exactly this data, day and settings, if there is one."""
    found = _select(
        "where model = %(model)s and training_key = %(key)s and method <> 'baseline' order by trained_at desc limit 1",
        {"model": model, "key": training_key},
    )
    return found[0] if found else None


def newest_before(model: str, as_of: date) -> ModelVersion | None:
    """Return the version of `model` with the newest training day up to `as_of`."""
    found = _select(
        "where model = %(model)s and trained_as_of <= %(as_of)s order by trained_as_of desc, trained_at desc limit 1",
        {"model": model, "as_of": as_of},
    )
    return found[0] if found else None


def baseline_before(model: str, as_of: date) -> ModelVersion | None:
    """Return the baseline of `model` with the newest training day up to `as_of`."""
    found = _select(
        "where model = %(model)s and method = 'baseline' and trained_as_of <= %(as_of)s "
        "order by trained_as_of desc, trained_at desc limit 1",
        {"model": model, "as_of": as_of},
    )
    return found[0] if found else None


def record(rows: list[dict[str, Any]], promoted: str | None, as_of: date, reason: str) -> None:
    """Write new versions, and in the same transaction the promotion of one of them.

    Parameters
    ----------
    rows : list of dict
        Columns of ``crm_ai.models``; all rows are of one model.
    promoted : str or None
        Version that serves from `as_of` on.
    reason : str
        Why, in a sentence.
    """
    model = rows[0]["model"]
    with postgres.connect() as crm:
        for row in rows:
            values = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in row.items()}
            names = ", ".join(values)
            places = ", ".join(f"%({name})s" for name in values)
            crm.execute(f"insert into crm_ai.models ({names}) values ({places})", values)
        if promoted is not None:
            _promote(crm, model, promoted, as_of, reason)
        _write_aliases(crm, model)


def revert(model: str, as_of: date | None = None, run_id: str | None = None) -> tuple[ModelVersion, ModelVersion]:
    """Put the version that served before the present champion in charge again.

    Parameters
    ----------
    as_of : date, optional
        From which day on (default: the newest day that was scored).
    run_id : str, optional
        A run that has reverted once leaves it at that.

    Returns
    -------
    tuple of ModelVersion
        Who served, and who serves now.

    Raises
    ------
    CrmAgentsError
        When there is no earlier champion, or `as_of` lies before the present one's first day.
    """
    with postgres.connect() as crm:
        crm.execute("select pg_advisory_xact_lock(hashtext('crm_agents.models'))")
        present, before = _champion(crm, model, None), _alias(crm, model, "previous")
        if present is None or before is None:
            raise CrmAgentsError(
                f"{model} has no earlier champion to go back to.", "`crm-agents models` lists every version."
            )
        mark = f" (run {run_id})" if run_id else ""
        if mark and _newest_reason(crm, model).endswith(mark):
            return before, present
        first_day, newest_day = _reign_and_newest_day(crm, model)
        day = as_of or newest_day
        if day < first_day:
            raise CrmAgentsError(
                f"Version {present.version} of {model} serves from {first_day} on; {day} lies before that.",
                f"Use a day from {first_day} on.",
            )
        _promote(crm, model, before.version, day, f"reverted from version {present.version}{mark}")
        _write_aliases(crm, model)
        restored = _champion(crm, model, None)
        assert restored is not None
        return present, restored


def aliases(model: str) -> dict[str, str]:
    """Return version by alias."""
    return {version.alias: version.version for version in versions(model) if version.alias}


def _promote(crm: psycopg.Connection, model: str, version: str, as_of: date, reason: str) -> None:
    crm.execute(
        "insert into crm_ai.model_promotions (model, version, as_of, reason) values (%s, %s, %s, %s)",
        (model, version, as_of, reason),
    )
    crm.execute(
        "update crm_ai.models set promoted_at = clock_timestamp(), retired_at = null where (model, version) = (%s, %s)",
        (model, version),
    )


def _write_aliases(crm: psycopg.Connection, model: str) -> None:
    """Set aliases and retired_at from the promotions: they say nothing of their own.

    The challenger is the newest model that was not promoted, as long as it is newer than the champion.
    """
    crm.execute(
        """
        with reigns as (
            select version, row_number() over (order by as_of desc, promotion_id desc) as place
            from crm_ai.model_promotions where model = %(model)s
        ),
        champion as (select version from reigns where place = 1),
        previous as (
            select version from reigns where version <> (select version from champion) order by place limit 1
        ),
        challenger as (
            select version from (
                select version, promoted_at from crm_ai.models where model = %(model)s and method <> 'baseline'
                order by trained_as_of desc, trained_at desc limit 1
            ) newest where promoted_at is null
        )
        update crm_ai.models m set
            alias = case
                when version = (select version from champion) then 'champion'
                when version = (select version from previous) then 'previous'
                when version = (select version from challenger) then 'challenger'
            end,
            retired_at = case
                when promoted_at is null or version = (select version from champion) then null
                else coalesce(retired_at, clock_timestamp())
            end
        where model = %(model)s
        """,
        {"model": model},
    )


def _champion(crm: psycopg.Connection, model: str, as_of: date | None) -> ModelVersion | None:
    row = crm.execute(
        f"select {', '.join(f'm.{name}' for name in COLUMNS)} from crm_ai.model_promotions p "
        "join crm_ai.models m using (model, version) "
        "where p.model = %(model)s and (%(as_of)s::date is null or p.as_of <= %(as_of)s) "
        "order by p.as_of desc, p.promotion_id desc limit 1",
        {"model": model, "as_of": as_of},
    ).fetchone()
    return ModelVersion(*row) if row else None


def _alias(crm: psycopg.Connection, model: str, alias: str) -> ModelVersion | None:
    row = crm.execute(
        f"select {', '.join(COLUMNS)} from crm_ai.models where model = %s and alias = %s", (model, alias)
    ).fetchone()
    return ModelVersion(*row) if row else None


def _reign_and_newest_day(crm: psycopg.Connection, model: str) -> tuple[date, date]:
    """Return the present champion's first day, and the newest day that was scored (or that one, when none was)."""
    row = crm.execute(
        "select p.as_of, greatest(p.as_of, (select max(as_of) from crm_ai.scores where model = %(model)s)) "
        "from crm_ai.model_promotions p where model = %(model)s order by p.as_of desc, promotion_id desc limit 1",
        {"model": model},
    ).fetchone()
    assert row is not None
    return row


def _newest_reason(crm: psycopg.Connection, model: str) -> str:
    row = crm.execute(
        "select reason from crm_ai.model_promotions where model = %s order by as_of desc, promotion_id desc limit 1",
        (model,),
    ).fetchone()
    return row[0] if row else ""


def _select(condition: str, parameters: dict[str, Any]) -> list[ModelVersion]:
    with postgres.connect() as crm:
        rows = crm.execute(f"select {', '.join(COLUMNS)} from crm_ai.models {condition}", parameters).fetchall()
    return [ModelVersion(*row) for row in rows]
