"""Replay a run: its inputs from the lake's snapshot, its champion, its settings, and the decisions that stood when it began.

The stages *understand* and *decide* run again on these, beside what the first run left in the lake; nothing is written into the
CRM, and what the replay leaves in the lake is removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_agents import agents, lake, postgres
from crm_agents.agents import scope
from crm_agents.agents.frame import AgentRun
from crm_agents.company import Company
from crm_agents.errors import CrmAgentsError

if TYPE_CHECKING:
    from types import ModuleType

    import duckdb

LISTED = 10


@dataclass(frozen=True)
class Replay:
    """What a replay came to, in entities.

    Attributes
    ----------
    same, different : int
        Entities with exactly the same row of decisions, and with another one or none on one of the two sides.
    examples : tuple of dict
        Up to `LISTED` of the different ones: entity, column, first (the run's value), replayed.
    """

    run_id: str
    agent: str
    as_of: Any
    snapshot: int
    versions: dict[str, str]
    same: int
    different: int
    examples: tuple[dict[str, Any], ...] = ()


def replay(run_id: str) -> Replay:
    """Rebuild what `run_id` decided, and compare it row by row.

    Raises
    ------
    CrmAgentsError
        When the run is unknown, did not score with a model, or lies so far back that the lake no longer has its inputs.
    """
    first, settled, shadow = _prepared(run_id)
    agent = agents.find(first.agent)
    company = Company(**settled.settings)
    with lake.connect() as connection:
        _check_kept(connection, first, settled, agent)
        with _shadow(connection, shadow, settled, agent):
            agent.understand(shadow, company)
            agent.decide(shadow, company)
            compared = [_compare(connection, table, key, first, shadow) for table, key in agent.COMPARED.items()]
    same, different = sum(one[0] for one in compared), sum(one[1] for one in compared)
    examples = tuple(row for one in compared for row in one[2])[:LISTED]
    facts = (run_id, first.agent, first.as_of, settled.snapshot, settled.versions)
    return Replay(*facts, same, different, examples)


def _prepared(run_id: str) -> tuple[AgentRun, scope.Scope, AgentRun]:
    """Return the first run, what it was settled on, and the run that repeats it."""
    with postgres.connect() as crm:
        row = crm.execute(
            "select agent, as_of, basis is not null, started_at from crm_ai.agent_runs where run_id = %s "
            "order by basis is null limit 1",
            (run_id,),
        ).fetchone()
        known = crm.execute(
            "select run_id from crm_ai.agent_runs where basis is not null order by started_at desc limit 5"
        ).fetchall()
    if row is None or not row[2]:
        what = "is not known" if row is None else "scored nobody with a model: there is nothing to replay"
        latest = ", ".join(name for (name,) in known) or "none"
        raise CrmAgentsError(f"Run {run_id} {what}.", f"The latest runs that can be replayed: {latest}.")
    agent, as_of, _, started_at = row
    first = AgentRun(run_id, agent, as_of)
    settled = scope.recall(first)
    assert settled
    return first, settled, AgentRun(f"{run_id}-replay", agent, as_of, decided_before=started_at)


def _check_kept(
    connection: duckdb.DuckDBPyConnection, first: AgentRun, settled: scope.Scope, agent: ModuleType
) -> None:
    snapshots = "select count(*) from ducklake_snapshots('lake') where snapshot_id = ?"
    decided = f"select count(*) from {agent.DECISIONS} where run_id = ?"
    kept = connection.execute(snapshots, [settled.snapshot]).fetchone()
    rows = connection.execute(decided, [first.run_id]).fetchone()
    if not (kept and kept[0] and rows and rows[0]):
        raise CrmAgentsError(
            f"The lake no longer has what run {first.run_id} of {first.as_of} worked on (snapshot {settled.snapshot}).",
            "maintain_lake keeps inputs for 30 days; a later run can be replayed.",
        )


@contextmanager
def _shadow(
    connection: duckdb.DuckDBPyConnection, shadow: AgentRun, settled: scope.Scope, agent: ModuleType
) -> Iterator[None]:
    """Settle `shadow` on what the first run was settled on; afterwards leave no trace of it."""
    scope.keep(shadow, settled)
    try:
        yield
    finally:
        for table in agent.WORKING_TABLES:
            connection.execute(f"delete from {table} where run_id = ?", [shadow.run_id])
        with postgres.connect() as crm:
            crm.execute("delete from crm_ai.agent_runs where run_id = %s", (shadow.run_id,))


def _compare(
    connection: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...], first: AgentRun, shadow: AgentRun
) -> tuple[int, int, tuple[dict[str, Any], ...]]:
    described = connection.execute(f"describe {table}").fetchall()
    columns = [row[0] for row in described if row[0] not in ("run_id", *key)]
    entity, joined = key[0], " and ".join(f"a.{name} = b.{name}" for name in key)
    connection.execute(
        f"create or replace temp table compared as select coalesce(a.{entity}, b.{entity}) as entity_id, "
        f"{', '.join(f'a.{name} as a_{name}, b.{name} as b_{name}' for name in columns)}, "
        f"a.{entity} is not null and b.{entity} is not null "
        f"and {' and '.join(f'a.{name} is not distinct from b.{name}' for name in columns)} as is_same "
        f"from (from {table} where run_id = '{first.run_id}') a "
        f"full join (from {table} where run_id = '{shadow.run_id}') b on {joined}"
    )
    row = connection.execute("select count(*) filter (is_same), count(*) filter (not is_same) from compared").fetchone()
    same, different = row or (0, 0)
    pairs = " union all ".join(
        f"select entity_id, '{name}' as of, a_{name}::varchar as first, b_{name}::varchar as replayed from compared "
        f"where a_{name} is distinct from b_{name}"
        for name in columns
    )
    found = connection.execute(f"from ({pairs}) order by entity_id, of limit {LISTED}").fetchall()
    names = ("entity_id", "column", "first", "replayed")
    return same, different, tuple(dict(zip(names, values, strict=True)) for values in found)
