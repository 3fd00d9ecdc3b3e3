"""The table ``crm_ai.outbox``: written with the ledger, undoable, and looked through again before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from crm_agents import lake, postgres, writeback
from crm_agents.agents.frame import AgentRun
from crm_agents.contact_settings import Outreach
from crm_agents.errors import CrmAgentsError
from crm_agents.outbox import checking, rules, sources
from crm_agents.outbox.checking import BLOCKED, PERMITTED, Checked
from crm_agents.outbox.sources import MOST_KEYS, WISHES, UnreadableError
from crm_agents.writeback import Target, WriteCounts

if TYPE_CHECKING:
    import duckdb

TARGET = Target(
    table="crm_ai.outbox",
    key=("outbox_id",),
    compared=("status", "status_reason"),
    carried=(
        "decision_id",
        "run_id",
        "agent",
        "kind",
        "channel",
        "purpose",
        "recipient_id",
        "template",
        "variables",
        "not_before",
        "consent_basis",
        "as_of",
    ),
    never_when="true",  # what is there stays: it may have been sent, or cancelled by a person
)
CANCELLATION = Target(
    table="crm_ai.outbox",
    key=("outbox_id",),
    compared=("status", "status_reason"),
    carried=(),
    never_when="old.status <> 'ready'",  # whoever sends was quicker
)


@dataclass(frozen=True)
class Filled:
    """What came of an agent's wishes: the verdicts, the rows written, and earlier rows that may no longer go out."""

    checked: Checked
    written: WriteCounts
    cancelled: int


def fill(connection: duckdb.DuckDBPyConnection, wishes: str, run: AgentRun, outreach: Outreach, at: datetime) -> Filled:
    """Cancel earlier rows that may no longer go out, check the wishes, write what may go out and why the rest may not.

    Parameters and errors are those of `checking.check`. Two agents that do this at the same time wait for each other, so the
    caps hold over both. The decisions of the wishes must have been written before. Safe to repeat after a crash at any point:
    the rows of the outbox are written in one transaction with their ledger, and a retry writes none twice.
    """
    checking.require_zone(at)
    with _alone():
        cancelled = 0
        with suppress(UnreadableError):  # the check then finds the same, blocks everything and says why
            cancelled = _recheck(connection, run, outreach, at)
        checked = checking.check(connection, wishes, run, outreach, at)
        written = write(connection, run)
        record_blocks(connection)
    return Filled(checked, written, cancelled)


def write(connection: duckdb.DuckDBPyConnection, run: AgentRun) -> WriteCounts:
    """Write the wishes that the last check let through; rows that are there already stay as they are."""
    target = replace(TARGET, scope=_scope(connection, PERMITTED))
    return writeback.write_back(connection, target, PERMITTED, run_id=run.run_id, decisions=PERMITTED)


def record_blocks(connection: duckdb.DuckDBPyConnection) -> int:
    """Write into ``crm_ai.decisions`` which rules the last check held against each decision; return the rows changed.

    Of a decision with several wishes each rule is named once; one without a block loses what an earlier try has noted.
    """
    columns = "decision_id, blocked_by, blocked_reason"
    with writeback.scratch_folder() as folder, postgres.connect() as crm, crm.cursor() as cursor:
        path = folder / "blocks.csv"
        writeback.export_csv(
            connection,
            "select w.decision_id, string_agg(distinct b.rule, ', ' order by b.rule) as blocked_by, "
            "string_agg(distinct b.reason, ' ' order by b.reason) as blocked_reason "
            f"from (select distinct decision_id from {WISHES}) w left join {BLOCKED} b using (decision_id) group by 1",
            path,
        )
        cursor.execute(f"create temp table blocks on commit drop as select {columns} from crm_ai.decisions limit 0")
        writeback.copy_csv(cursor, "blocks", columns, path)
        cursor.execute(
            "update crm_ai.decisions d set blocked_by = b.blocked_by, blocked_reason = b.blocked_reason from blocks b "
            "where b.decision_id = d.decision_id "
            "and (d.blocked_by, d.blocked_reason) is distinct from (b.blocked_by, b.blocked_reason)"
        )
        return cursor.rowcount


def recheck(connection: duckdb.DuckDBPyConnection, run: AgentRun, outreach: Outreach, at: datetime) -> int:
    """Cancel every ready row that may not go out any more: whoever sends calls this right before, and sends the rest.

    Consent, suppressions and customers are looked at anew (not how often: the row itself was counted). Cancelled rows name
    the rule in `status_reason` and are ledgered under `run`.

    Returns
    -------
    int
        Rows cancelled.

    Raises
    ------
    CrmAgentsError
        When something that the rules need cannot be read: then nothing must be sent.
    """
    checking.require_zone(at)
    try:
        with _alone():
            return _recheck(connection, run, outreach, at)
    except UnreadableError as error:
        raise CrmAgentsError(error.reason, "Send nothing until it can be read again.") from error


def _recheck(connection: duckdb.DuckDBPyConnection, run: AgentRun, outreach: Outreach, at: datetime) -> int:
    connection.execute(
        "create or replace temp table outreach_ready as from postgres_query('crm_db', 'select outbox_id, decision_id, "
        "recipient_id as customer_id, channel, purpose, template, variables, null::text as action from crm_ai.outbox "
        "where status = ''ready''')"
    )
    if not connection.execute("select 1 from outreach_ready limit 1").fetchone():
        return 0
    sources.prepare(connection, "outreach_ready", "outbox_id")
    sources.read(connection, at, run.run_id, with_contacts=False)
    checking.judge(connection, outreach, at, with_caps=False)
    connection.execute(
        "create or replace temp table outreach_cancelled as select outbox_id, 'cancelled' as status, "
        f"rule || ': ' || reason as status_reason from {rules.JUDGED} where rule is not null"
    )
    target = replace(CANCELLATION, scope=_scope(connection, "outreach_cancelled"))
    return writeback.write_back(connection, target, "outreach_cancelled", run_id=run.run_id).updated


def _scope(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    row = connection.execute(f"select count(*) from {rows}").fetchone()
    if not row or row[0] > MOST_KEYS:
        return "true"
    return lake.among(connection, "outbox_id", f"select outbox_id from {rows}")


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other fillers of the outbox waiting; PostgreSQL lets them go on when this process ends, however it ends."""
    with postgres.connect(autocommit=True) as crm:
        crm.execute("select pg_advisory_lock(hashtext('crm_agents.outbox'))")
        yield
