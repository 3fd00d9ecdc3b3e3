"""How far a run's results lie from what stands in the CRM, and whether a person has to agree before they are written.

Only values that exist are protected: a first run, when nothing is scored yet, asks nobody. A daily run moves nearly every
score a little, because a day has gone by; that asks nobody either. What counts is in ``write_back`` of company.yml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.agents.frame import AgentRun, BlastRadius
from crm_agents.company_settings import WriteBack

if TYPE_CHECKING:
    import duckdb

SHOWN = 10


@dataclass(frozen=True)
class Difference:
    """What a run would do to the values of a model that stand in ``crm_ai.scores`` now.

    Attributes
    ----------
    existing, moved, lost, new : int
        Rows that have a value; that would move by more than `material`; that would have none any more; that get one.
    total, moves : float
        Sum of the existing values; sum of the distances by which they would move, up or down.
    largest : tuple of (entity_id, value now, value then)
        The largest moves, largest first.
    material : float
        `material_move`; of amounts that share of the mean of the existing values, for a probability is a part of 1 and an
        amount is not.
    """

    existing: int = 0
    moved: int = 0
    lost: int = 0
    new: int = 0
    total: float = 0.0
    moves: float = 0.0
    largest: tuple[tuple[str, float, float | None], ...] = ()
    material: float = 0.0


def blast_radius(
    connection: duckdb.DuckDBPyConnection,
    run: AgentRun,
    limits: WriteBack,
    *,
    model: str,
    incoming: str,
    only: str = "true",
    unit: str = "probability",
) -> BlastRadius:
    """Compare `incoming` with the scores of `model` and judge the difference.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``lake.connect(with_crm=True)``.
    incoming : str
        SELECT (entity_id, value) of what the run would write.
    only : str
        SQL condition on ``entity_id`` in PostgreSQL that holds for all of `incoming`: nothing else needs to be compared.
    unit : str
        Of the values (`ModelSpec.unit`).
    """
    difference = measure(connection, run, limits, model=model, incoming=incoming, only=only, unit=unit)
    exceeded = limits_exceeded(difference, limits)
    if not difference.existing:
        summary = f"No value of {model} stands in the CRM that this run could change."
    else:
        summary = (
            f"{difference.moved:,} of {difference.existing:,} existing scores of {model} "
            f"({difference.moved / difference.existing:.1%}) would move by more than {difference.material:.4g}, "
            f"{difference.lost:,} would be lost; {'; '.join(exceeded) or 'within what a run may do by itself'}."
        )
    return BlastRadius(summary, bool(exceeded), as_table(difference, limits, run, model, exceeded) if exceeded else "")


def together(found: Sequence[BlastRadius]) -> BlastRadius:
    """Return what a person is asked once where a run changes the scores of several models."""
    return BlastRadius(
        " ".join(one.summary for one in found),
        any(one.needs_approval for one in found),
        "\n\n".join(one.table for one in found if one.needs_approval),
    )


def measure(
    connection: duckdb.DuckDBPyConnection,
    run: AgentRun,
    limits: WriteBack,
    *,
    model: str,
    incoming: str,
    only: str = "true",
    unit: str = "probability",
) -> Difference:
    """Return the `Difference` between `incoming` and the values that stand now; newer ones than this run's stay anyway."""
    with postgres.connect() as crm:
        existing, total = crm.execute(
            "select count(*), coalesce(sum(value), 0) from crm_ai.scores "
            "where model = %s and value is not null and as_of <= %s",
            (model, run.as_of),
        ).fetchone() or (0, 0.0)
    if not existing:
        return Difference()
    material = limits.material_move * (total / existing if unit == "amount" else 1.0)
    wanted = only.replace("'", "''")
    connection.execute(
        f"""
        create or replace temp table moves as
        select coalesce(old.entity_id, new.entity_id) as entity_id, old.value as old_value, new.value as new_value,
            old.entity_id is not null as is_old, new.entity_id is not null as is_new
        from postgres_query('crm_db', '
            select entity_id, value from crm_ai.scores
            where model = ''{model}'' and value is not null and as_of <= ''{run.as_of}'' and {wanted}
        ') old full join ({incoming}) new on new.entity_id = old.entity_id
        """
    )
    row = connection.execute(
        """
        select count(*) filter (abs(new_value - old_value) > ?),
            count(*) filter (is_old and is_new and new_value is null), count(*) filter (not is_old and new_value is not null),
            coalesce(sum(abs(coalesce(new_value, 0) - old_value)) filter (is_new), 0)
        from moves
        """,
        [material],
    ).fetchone()
    largest = connection.execute(
        "select entity_id, old_value, new_value from moves where is_old and is_new "
        "order by abs(coalesce(new_value, 0) - old_value) desc, entity_id limit ?",
        [SHOWN],
    ).fetchall()
    moved, lost, new, moves = row or (0, 0, 0, 0.0)
    return Difference(existing, moved, lost, new, total, moves, tuple(largest), material)


def limits_exceeded(difference: Difference, limits: WriteBack, of_what: str = "of the scores") -> list[str]:
    """Return, in words, which limits `difference` exceeds (none: no approval is needed)."""
    if not difference.existing:
        return []
    shares = (
        (difference.moved, limits.approval_above_share, f"{of_what} would change"),
        (difference.lost, limits.approval_above_deleted, f"{of_what} would be lost"),
    )
    found = [
        f"{count / difference.existing:.1%} {what}, more than {limit:.0%} (write_back.{name})"
        for (count, limit, what), name in zip(shares, ("approval_above_share", "approval_above_deleted"), strict=True)
        if limit is not None and count > limit * difference.existing
    ]
    if limits.approval_above_move is not None and difference.moves > limits.approval_above_move * difference.total:
        found.append(
            f"all moves together are {_share(difference.moves, difference.total)} of the present total, more than "
            f"{limits.approval_above_move:.0%} (write_back.approval_above_move)"
        )
    return found


def as_table(difference: Difference, limits: WriteBack, run: AgentRun, model: str, exceeded: list[str]) -> str:
    """Return the difference as the Markdown that a person reads before approving."""
    existing = difference.existing
    rows = [
        ("scores now", f"{existing:,}", "", ""),
        (f"that would move by more than {difference.material:.4g}", f"{difference.moved:,}",
         _share(difference.moved, existing), _limit(limits.approval_above_share)),
        ("that would be lost", f"{difference.lost:,}", _share(difference.lost, existing),
         _limit(limits.approval_above_deleted)),
        ("all moves together", f"{difference.moves:,.1f}", _share(difference.moves, difference.total),
         _limit(limits.approval_above_move)),
        ("new scores", f"{difference.new:,}", "", ""),
    ]  # fmt: skip
    moves = [
        f"| {entity} | {before:.3f} | {'none' if after is None else f'{after:.3f}'} |"
        for entity, before, after in difference.largest
    ]
    return "\n".join(
        [
            f"Run **{run.run_id}** (as of {run.as_of}) waits before it writes {model} because {'; '.join(exceeded)}.",
            "",
            "| | this run | share | without asking |",
            "|---|--:|--:|--:|",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            f"The {len(moves)} largest moves:",
            "",
            "| id | now | then |",
            "|---|--:|--:|",
            *moves,
            "",
            "**Approve** writes all of it (`crm-agents undo` takes it back). **Reject** leaves the CRM as it is. No answer "
            "within 24 hours is a no.",
        ]
    )


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _limit(limit: float | None) -> str:
    return "any" if limit is None else f"up to {limit:.0%}"
