"""Undo brings back what was there, reasons too, however many rows; what people changed since stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents import lake, postgres, scores, upkeep, writeback
from crm_agents.agents import frame
from crm_agents.errors import CrmAgentsError
from crm_agents.undo import undo

MODEL = "m"
REASONS = "select entity_id, rank, direction, feature, feature_value, contribution, statement, run_id from crm_ai.score_reasons"


def run(run_id: str, value: str, *, explained: str = "true", count: int = 1000, as_of: str = "2026-01-01") -> None:
    """Write the scores `value` (SQL over i) of customers c0 ... and the reasons of those that are `explained`."""
    with lake.connect(with_crm=True) as connection:
        connection.execute(
            f"create temp table incoming as select 'customer' as entity_type, 'c' || i as entity_id, '{MODEL}' as model, "
            f"({value})::double as value, 'A' as grade, 'scored' as status, null::varchar as status_reason, "
            f"'1' as model_version, 'probability' as unit, i / {count} as percentile, null::double as trend, "
            f"'champion' as method, date '{as_of}' as as_of, date '{as_of}' + 30 as valid_until, '{run_id}' as run_id, i "
            f"from range({count}) t(i)"
        )
        writeback.write_back(connection, scores.target([MODEL]), "incoming", run_id=run_id)
        scores.write_history([MODEL], run_id)
        connection.execute(
            "create temp view reasons as select entity_id, rank, '+' as direction, 'f' || rank as feature, "
            "case when rank = 2 then null else value::varchar end as feature_value, value * rank as contribution, "
            f"'Because, of {run_id}' as statement from incoming join postgres_query('crm_db', 'select entity_id as changed "
            f"from crm_ai.scores where run_id = ''{run_id}''') on entity_id = changed "
            f"cross join range(1, 4) r(rank) where {explained}"
        )
        scores.replace_reasons(connection, MODEL, run_id, "reasons")


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def test_restored_scores_have_exactly_their_old_reasons(installation: Path) -> None:
    run("r1", "i / 1000", explained="i % 3 > 0")  # the others lie beyond the limit
    run("r2", "case when i < 400 then 0.5 else i / 1000 end", explained="i % 5 > 0", as_of="2026-01-02")
    before = ask(f"{REASONS} order by 1, 2")
    assert {row[-1] for row in before} == {"r1", "r2"}
    run("r3", "case when i between 200 and 799 then 0.9 else 0.1 end", count=1100, as_of="2026-01-03")
    with postgres.connect() as crm:
        crm.execute("update crm_ai.scores set grade = 'D' where entity_id in ('c7', 'c1050')")
    report = undo("r3")
    assert (report.kept_count, [row["entity_id"] for row in report.kept]) == (2, ["c7", "c1050"])
    assert report.removed == 99
    after = ask(f"{REASONS} where entity_id not in ('c7', 'c1050') order by 1, 2")
    assert after == [row for row in before if row[0] != "c7"]
    assert {row[-1] for row in ask(f"{REASONS} where entity_id in ('c7', 'c1050')")} == {
        "r3"
    }  # with the score they explain

    undo("r2")  # and on to the run before that, but for the row that r3 has changed and a person after it
    assert [row for row in ask(f"{REASONS} order by 1, 2") if row[0] not in ("c7", "c1050")] == [
        (f"c{i}", rank, "+", f"f{rank}", None if rank == 2 else str(i / 1000), i / 1000 * rank, "Because, of r1", "r1")
        for i in sorted((i for i in range(1000) if i % 3 > 0 and i != 7), key=lambda i: f"c{i}")
        for rank in (1, 2, 3)
    ]


def test_a_hundred_thousand_rows_in_one_go(installation: Path) -> None:
    count = 100_000
    contents = (
        "select count(*), md5(string_agg(concat_ws(' ', entity_id, value, percentile, as_of, run_id), ',' order by entity_id)) "
        "from crm_ai.scores where entity_id <> 'c99999'"
    )
    run("r1", "i / 1e6", count=count, explained="i < 2000")
    first = ask(contents)
    run("r2", "0.5 + i / 1e6", count=count, explained="i < 1000", as_of="2026-01-02")
    with postgres.connect() as crm:
        crm.execute("update crm_ai.scores set value = 0.123 where entity_id = 'c99999'")
    report = undo("r2")
    assert (report.restored, report.removed, report.kept_count) == (count - 1, 0, 1)
    assert report.kept == [{"table": "crm_ai.scores", "entity_type": "customer", "entity_id": "c99999", "model": MODEL}]
    assert ask(contents) == first
    assert ask("select run_id, count(*) from crm_ai.score_reasons group by 1") == [("r1", 6000)]


def test_undo_before_the_run_has_explained_its_scores(installation: Path) -> None:
    run("r1", "i / 1000")
    before = ask(f"{REASONS} order by 1, 2")
    with lake.connect(with_crm=True) as connection:  # the run ends between writing and explaining
        connection.execute("create temp table changed as from postgres_query('crm_db', 'select * from crm_ai.scores')")
        connection.execute("update changed set value = 0.4, run_id = 'r2'")
        writeback.write_back(connection, scores.target([MODEL]), "changed", run_id="r2")
    assert undo("r2").restored == 999  # c400 had 0.4 before
    assert ask(f"{REASONS} order by 1, 2") == before


def test_an_undo_is_not_undone(installation: Path) -> None:
    run("r1", "0.1", count=10)
    report = undo("r1")
    frame.finish(frame.AgentRun("undo_run-1", "undo_run", None), "done", report.summary, writes=report.removed)
    with pytest.raises(CrmAgentsError, match=r"took back r1: 0 rows restored, 10 removed\), and an undo cannot"):
        undo("undo_run-1")
    with pytest.raises(CrmAgentsError, match="The latest runs that wrote: none"):
        undo("r'9")


def test_upkeep_forgets_reasons_only_when_no_undo_can_need_them(installation: Path) -> None:
    run("r1", "i / 1000")
    run("r2", "0.5")
    run("r3", "0.7")
    assert upkeep.maintain().reasons_forgotten == 0
    undo("r3")
    assert upkeep.maintain().reasons_forgotten == 3000  # r3's: its scores are gone
    undo("r2")
    assert {row[-1] for row in ask(REASONS)} == {"r1"}
