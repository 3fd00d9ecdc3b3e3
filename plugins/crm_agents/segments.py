"""The tables ``crm_ai.customer_segments``, ``segment_moves`` and ``segment_profiles``, and the segmentations kept in the lake."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from crm_agents import lake, postgres
from crm_agents.agents.frame import AgentRun, BlastRadius
from crm_agents.approval import Difference, limits_exceeded
from crm_agents.company_settings import WriteBack
from crm_agents.errors import CrmAgentsError
from crm_agents.writeback import Target

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from models_ml.segments.segmentation import Segmentation

TARGET = Target(
    table="crm_ai.customer_segments",
    key=("customer_id",),
    compared=("segment_id", "segment_name", "status", "status_reason"),
    carried=("closeness", "reason", "as_of", "run_id"),
    never_when="new.as_of < old.as_of",
)
SHOWN = 10


def keep(connection: duckdb.DuckDBPyConnection, table: str, run: AgentRun, fitted: Segmentation, chart: bytes) -> None:
    """Keep what `run` fitted in lake table `table`."""
    text = fitted.to_json().replace("'", "''")
    lake.replace_rows(
        connection,
        table,
        run.run_id,
        f"select '{run.run_id}' as run_id, date '{run.as_of}' as as_of, '{text}' as segmentation, "
        f"'{b64encode(chart).decode()}' as chart",
    )


def read(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> Segmentation:
    """Return what `run_id` fitted.

    Raises
    ------
    CrmAgentsError
        When the lake no longer has it.
    """
    from models_ml.segments.segmentation import Segmentation

    return Segmentation.from_json(_kept(connection, table, run_id, "segmentation"))


def read_chart(connection: duckdb.DuckDBPyConnection, table: str, run_id: str) -> bytes:
    """Return the picture of how `run_id` chose its segments (PNG)."""
    return b64decode(_kept(connection, table, run_id, "chart"))


def _kept(connection: duckdb.DuckDBPyConnection, table: str, run_id: str, column: str) -> str:
    row = connection.execute(f"select {column} from {table} where run_id = ?", [run_id]).fetchone()
    if row is None:
        raise CrmAgentsError(
            f"The lake no longer has the segments that run {run_id} fitted.",
            "Run the agent for another day: it fits new ones.",
        )
    return str(row[0])


def reason_sql(currency: str) -> str:
    """Return SQL for the sentence that says why a customer is in their segment."""
    money = f"printf('%.2f {currency}', greatest(revenue_365d, 0))"
    return (
        "printf('Bought %d day%s ago, %d purchase%s and ', recency_days::integer, "
        "case when recency_days = 1 then '' else 's' end, purchases_365d::integer, "
        f"case when purchases_365d = 1 then '' else 's' end) || {money} || ' in the last year: ' || "
        "case when closeness >= 0.65 then 'clearly ' when closeness < 0.55 then 'just about ' else '' end "
        "|| '\"' || segment_name || '\".'"
    )


def blast_radius(
    connection: duckdb.DuckDBPyConnection, run: AgentRun, limits: WriteBack, decisions: str
) -> BlastRadius:
    """Compare the `decisions` of `run` with the segments that stand, and judge how many customers would move."""
    connection.execute(
        f"create or replace temp table moves as select old.segment_name as old_name, new.segment_name as new_name, "
        f"new.segment_id <> old.segment_id as is_move, new.segment_id is null as is_lost "
        f"from postgres_query('crm_db', 'select customer_id, segment_id, segment_name from crm_ai.customer_segments "
        f"where segment_id is not null and as_of <= ''{run.as_of}''') old "
        f"join (from {decisions} where run_id = '{run.run_id}') new using (customer_id)"
    )
    counts = "select count(*) filter (is_move), count(*) filter (is_lost) from moves"
    moved, lost = connection.execute(counts).fetchone() or (0, 0)
    with postgres.connect() as crm:
        row = crm.execute(
            "select count(*) from crm_ai.customer_segments where segment_id is not null and as_of <= %s", (run.as_of,)
        ).fetchone()
    difference = Difference(existing=int(row[0]) if row else 0, moved=moved, lost=lost)
    if not difference.existing:
        return BlastRadius("No segment stands in the CRM that this run could change.", False)
    summary = (
        f"{moved:,} of {difference.existing:,} customers ({moved / difference.existing:.1%}) would move to another segment, "
        f"{lost:,} would have none any more"
    )
    exceeded = limits_exceeded(difference, limits, "of the segments")
    if not exceeded:
        return BlastRadius(f"{summary}; within what a run may do by itself.", False)
    return BlastRadius(f"{summary}; {'; '.join(exceeded)}.", True, _where_to(connection, run, exceeded))


def _where_to(connection: duckdb.DuckDBPyConnection, run: AgentRun, exceeded: list[str]) -> str:
    """Return how many customers would go from which segments to which, as Markdown for the person who approves."""
    largest = connection.execute(
        "select old_name, coalesce(new_name, 'none'), count(*) from moves where is_move or is_lost group by all "
        f"order by 3 desc, 1, 2 limit {SHOWN}"
    ).fetchall()
    return "\n".join(
        [
            f"Run **{run.run_id}** (as of {run.as_of}) waits because {'; '.join(exceeded)}.",
            "",
            "| from | to | customers |",
            "|---|---|---:|",
            *(f"| {old} | {new} | {count:,} |" for old, new, count in largest),
        ]
    )


def write_moves(run: AgentRun) -> int:
    """Write who moved, as the ledger of `run` has it; a retry adds none twice. Return the rows added."""
    with postgres.connect() as crm:
        return crm.execute(
            "insert into crm_ai.segment_moves (customer_id, as_of, run_id, from_segment_id, from_segment_name, "
            "to_segment_id, to_segment_name) select row_key ->> 'customer_id', %s, run_id, "
            "(old_values ->> 'segment_id')::integer, old_values ->> 'segment_name', (new_values ->> 'segment_id')::integer, "
            "new_values ->> 'segment_name' from crm_ai.write_ledger where run_id = %s and table_name = %s "
            "and old_values ->> 'segment_id' <> new_values ->> 'segment_id' on conflict do nothing",
            (run.as_of, run.run_id, TARGET.table),
        ).rowcount


def write_profiles(run: AgentRun, frame: pd.DataFrame, fitted: Segmentation) -> list[tuple[str, int, float]]:
    """Write the day's profile of each segment; return name, customers and share of revenue of each.

    Parameters
    ----------
    frame : DataFrame
        Features of all buyers.
    """
    from models_ml.segments import profiles

    found = profiles.profiles(frame, fitted.assign(frame))
    moved = _moved(run).reindex(found["segment_id"], fill_value=0)
    found["statement"] = profiles.statements(found, moved)
    found[["moved_in", "moved_out"]] = moved.to_numpy()
    found = found.assign(as_of=run.as_of, chosen_because=fitted.reason, run_id=run.run_id)
    columns = list(found.columns)
    rows = found.astype(object).where(found.notna(), None).to_numpy().tolist()
    with postgres.connect() as crm, crm.cursor() as cursor:
        cursor.execute("delete from crm_ai.segment_profiles where as_of = %s", (run.as_of,))
        with cursor.copy(f"copy crm_ai.segment_profiles ({', '.join(columns)}) from stdin") as copy:
            for row in rows:
                copy.write_row(row)
    return list(found[["segment_name", "customers", "revenue_share"]].itertuples(index=False, name=None))


def _moved(run: AgentRun) -> pd.DataFrame:
    """Return moved_in and moved_out of each segment on the day of `run`."""
    import pandas as pd

    with postgres.connect() as crm:
        rows = crm.execute(
            "select segment_id, sum(moved_in)::bigint, sum(moved_out)::bigint from ("
            "select to_segment_id as segment_id, 1 as moved_in, 0 as moved_out from crm_ai.segment_moves where as_of = %s "
            "union all select from_segment_id, 0, 1 from crm_ai.segment_moves where as_of = %s) m group by 1",
            (run.as_of, run.as_of),
        ).fetchall()
    found = pd.DataFrame(rows, columns=["segment_id", "moved_in", "moved_out"], dtype="int64")
    return found.set_index("segment_id")
