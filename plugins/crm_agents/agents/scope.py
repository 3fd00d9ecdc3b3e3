"""Which entities a run works on: all of them, or only those whose features changed since the last run of the same day.

A run that follows another one on the same day, with the same champion and settings, would score everybody again to find the few
whose features changed. It scores those few instead, and ranks them in the distribution of the last whole run. What a run was
settled on is kept in ``crm_ai.agent_runs.basis``: every stage and every retry works on the same entities, read from the same
snapshot of the lake, and a replay finds them again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from crm_agents import lake, postgres
from crm_agents.agents.frame import AgentRun
from crm_agents.company import Company

if TYPE_CHECKING:
    import duckdb

# Above these, a whole run is quicker than looking up each entity.
MOST_ENTITIES = 50_000
MOST_SHARE = 0.2


@dataclass(frozen=True)
class Scope:
    """What a run works on.

    Attributes
    ----------
    batch : int
        Newest ingest batch in the features when the run began.
    snapshot : int
        The lake's snapshot that the features are read from.
    versions : dict
        The version that serves of each model that is asked.
    settings : dict
        The company's settings, which decide the rest.
    undone : int
        Runs of the agent that were taken back by then: what they had written is to be judged again.
    whole_run : str
        The last whole run, this one or an earlier one: its distribution is what percentiles are in.
    after_batch : int or None
        Only entities whose features are of a later batch; None: all of them.
    """

    batch: int
    snapshot: int
    versions: dict[str, str]
    settings: dict[str, Any]
    undone: int
    whole_run: str
    after_batch: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the run works on everybody."""
        return self.after_batch is None

    def rows(self, features: str) -> str:
        """Return the rows of lake table `features` that the run works on, as SQL after ``from``."""
        where = "" if self.after_batch is None else f" where _batch > {self.after_batch:d}"
        return f"(from {features} at (version => {self.snapshot:d}){where})"


def settle(
    connection: duckdb.DuckDBPyConnection,
    run: AgentRun,
    company: Company,
    features: str,
    versions: dict[str, str],
    *,
    is_whole: bool = False,
) -> Scope:
    """Decide (at the first call of `run`) or recall what `run` works on.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect()``.
    features : str
        Lake table with one row per entity and as_of, and the batch that each row was computed from.
    is_whole : bool
        Work on everybody, whatever ran before.
    """
    known = recall(run)
    if known is not None:
        return known
    snapshot = lake.current_snapshot(connection)
    row = connection.execute(
        f"select coalesce(max(_batch), 0) from {features} at (version => {snapshot:d}) where as_of = ?", [run.as_of]
    ).fetchone()
    settings = company.model_dump(mode="json")
    settled = Scope(int(row[0]) if row else 0, snapshot, versions, settings, _undone(run), run.run_id)
    before = None if run.is_backfill or is_whole else _last(run)
    if before is not None and _follows(settled, before) and _are_few(connection, run, features, before.batch):
        settled = replace(settled, whole_run=before.whole_run, after_batch=before.batch)
    keep(run, settled)
    return settled


def recall(run: AgentRun) -> Scope | None:
    """Return what `run` was settled on, None when it has not been."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select basis from crm_ai.agent_runs where (run_id, agent) = (%s, %s)", (run.run_id, run.agent)
        ).fetchone()
    return _read(row[0]) if row else None


def _read(basis: dict[str, Any] | None) -> Scope | None:
    """Return what was kept; None where nothing was, or an older release kept something else."""
    if basis is None or set(basis) != {field.name for field in fields(Scope)}:
        return None
    return Scope(**basis)


def _follows(now: Scope, before: Scope) -> bool:
    same = ("versions", "settings", "undone")
    return all(getattr(now, name) == getattr(before, name) for name in same)


def _are_few(connection: duckdb.DuckDBPyConnection, run: AgentRun, features: str, after: int) -> bool:
    row = connection.execute(
        f"select count(*) filter (_batch > ?), count(*) from {features} where as_of = ?", [after, run.as_of]
    ).fetchone()
    changed, everybody = row or (0, 0)
    return changed <= min(MOST_ENTITIES, MOST_SHARE * everybody)


def _last(run: AgentRun) -> Scope | None:
    """Return what the agent's last run that wrote its results was settled on, when it was for the same day."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select basis, as_of from crm_ai.agent_runs where agent = %s and run_id <> %s and basis is not null "
            "and status in ('written', 'done') order by started_at desc limit 1",
            (run.agent, run.run_id),
        ).fetchone()
    return _read(row[0]) if row and row[1] == run.as_of else None


def _undone(run: AgentRun) -> int:
    with postgres.connect() as crm:
        row = crm.execute(
            "select count(*) from crm_ai.agent_runs where agent = %s and status = 'undone'", (run.agent,)
        ).fetchone()
    return int(row[0]) if row else 0


def keep(run: AgentRun, scope: Scope) -> None:
    """Settle `run` on `scope`."""
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.agent_runs (run_id, agent, as_of, status, basis) values (%s, %s, %s, 'running', %s) "
            "on conflict (run_id, agent) do update set basis = excluded.basis",
            (run.run_id, run.agent, run.as_of, json.dumps(asdict(scope))),
        )
