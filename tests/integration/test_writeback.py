"""write-back and undo: only differences, every write in the ledger, people's changes stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_agents import lake, postgres, writeback
from crm_agents.errors import CrmAgentsError
from crm_agents.undo import undo
from crm_agents.writeback import Target, write_back

TARGET = Target(
    table="crm_ai.scores",
    key=("entity_type", "entity_id", "model"),
    compared=("value", "grade", "status", "status_reason", "model_version"),
    carried=("percentile", "as_of", "valid_until", "run_id"),
    scope="model = 'm'",
    tolerances={"value": 1e-6},
    never_when="new.as_of < old.as_of",
    renew_when="old.valid_until < new.as_of + 15",
)


def scores(value: str, *, run_id: str, as_of: str = "2026-01-01", count: int = 1000) -> str:
    return (
        f"create or replace temp view incoming as select 'customer' as entity_type, 'c' || i as entity_id, 'm' as model, "
        f"({value})::double as value, 'A' as grade, 'scored' as status, null::varchar as status_reason, '1' as model_version, "
        f"i / 1000.0 as percentile, date '{as_of}' as as_of, date '{as_of}' + 30 as valid_until, '{run_id}' as run_id "
        f"from range({count}) t(i)"
    )


def run(value: str, run_id: str, **kwargs) -> writeback.WriteCounts:
    with lake.connect(with_crm=True) as connection:
        connection.execute(scores(value, run_id=run_id, **kwargs))
        return write_back(connection, TARGET, "incoming", run_id=run_id)


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def test_only_differences_are_written(installation: Path) -> None:
    first = run("i / 1000.0", "r1")
    again = run("i / 1000.0 + 1e-8", "r2")
    changed = run("case when i < 10 then 0.5 else i / 1000.0 end", "r3")
    assert (first.inserted, first.updated) == (1000, 0)
    assert (again.writes, again.unchanged) == (0, 1000)
    assert (changed.inserted, changed.updated, changed.unchanged) == (0, 10, 990)
    assert ask("select run_id, operation, count(*) from crm_ai.write_ledger group by 1, 2 order by 1") == [
        ("r1", "insert", 1000),
        ("r3", "update", 10),
    ]
    assert ask(
        "select old_values ->> 'value', new_values ->> 'value', model_version from crm_ai.write_ledger "
        "where run_id = 'r3' and row_key ->> 'entity_id' = 'c7'"
    ) == [("0.007", "0.5", "1")]


def test_older_as_of_never_overwrites(installation: Path) -> None:
    run("0.5", "r1", as_of="2026-02-01")
    assert run("0.9", "r2", as_of="2026-01-01").writes == 0


def test_validity_is_renewed_when_half_is_over(installation: Path) -> None:
    run("0.5", "r1", as_of="2026-02-01")
    assert run("0.5", "r2", as_of="2026-02-10").writes == 0
    assert run("0.5", "r3", as_of="2026-02-20").writes == 1000


def test_a_change_in_between_is_noticed(installation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("0.1", "r1")
    real = writeback._export
    meddled = []

    def meddle(*args) -> None:
        real(*args)
        if not meddled:
            meddled.append(True)
            with postgres.connect() as crm:
                crm.execute("update crm_ai.scores set grade = 'D' where entity_id = 'c5'")

    monkeypatch.setattr(writeback, "_export", meddle)
    assert run("0.2", "r2").updated == 1000
    assert ask(
        "select old_values ->> 'grade' from crm_ai.write_ledger where run_id = 'r2' and row_key ->> 'entity_id' = 'c5'"
    ) == [("D",)]


def test_undo_restores_all_but_what_people_changed(installation: Path) -> None:
    run("0.1", "r1", count=900)
    before = ask("select entity_id, value, grade, as_of, run_id from crm_ai.scores order by 1")
    run("0.2", "r2", as_of="2026-01-02")
    with postgres.connect() as crm:
        crm.execute("update crm_ai.scores set grade = 'D' where entity_id in ('c5', 'c950')")
    report = undo("r2")
    assert (report.restored, report.removed, report.kept_count) == (899, 99, 2)
    assert [row["entity_id"] for row in report.kept] == ["c5", "c950"]
    after = ask(
        "select entity_id, value, grade, as_of, run_id from crm_ai.scores where entity_id not in ('c5', 'c950') order by 1"
    )
    assert after == [row for row in before if row[0] != "c5"]
    assert ask("select value, grade from crm_ai.scores where entity_id = 'c5'") == [(0.2, "D")]


def test_undo_twice_and_undo_of_nothing_are_told(installation: Path) -> None:
    run("0.1", "r1")
    undo("r1")
    assert ask("select count(*) from crm_ai.scores") == [(0,)]
    with pytest.raises(CrmAgentsError, match="undone before"):
        undo("r1")
    with pytest.raises(CrmAgentsError, match="wrote nothing"):
        undo("r99")


WHOLE = Target(
    table="crm_ai.recommendations",
    key=("customer_id", "rank"),
    compared=("product_id",),
    carried=("score", "reason", "method", "model_version", "as_of", "run_id"),
    is_whole=True,
)


def recommend(run_id: str, ranks: int, product: str = "'p' || r") -> writeback.WriteCounts:
    """Write `ranks` products for each of ten customers, as everything that there is."""
    with lake.connect(with_crm=True) as connection:
        connection.execute(
            f"create temp view incoming as select 'c' || i as customer_id, r::smallint as rank, {product} as product_id, "
            f"0.5::double as score, 'Why' as reason, 'champion' as method, '1' as model_version, date '2026-01-01' as as_of, "
            f"'{run_id}' as run_id from range(10) c(i), range(1, {ranks} + 1) t(r)"
        )
        return write_back(connection, WHOLE, "incoming", run_id=run_id)


def test_rows_that_are_no_longer_there_are_deleted_and_come_back(installation: Path) -> None:
    assert recommend("r1", ranks=3).inserted == 30
    before = ask("select customer_id, rank, product_id, run_id from crm_ai.recommendations order by 1, 2")
    fewer = recommend("r2", ranks=2, product="case when r = 2 then 'other' else 'p' || r end")
    assert (fewer.inserted, fewer.updated, fewer.unchanged, fewer.deleted, fewer.writes) == (0, 10, 10, 10, 20)
    assert ask("select operation, count(*) from crm_ai.write_ledger where run_id = 'r2' group by 1 order by 1") == [
        ("delete", 10),
        ("update", 10),
    ]
    assert ask("select max(rank) from crm_ai.recommendations") == [(2,)]
    report = undo("r2")
    assert (report.restored, report.removed, report.kept_count) == (20, 0, 0)
    assert ask("select customer_id, rank, product_id, run_id from crm_ai.recommendations order by 1, 2") == before


def test_a_row_that_somebody_put_in_the_place_of_a_deleted_one_stays(installation: Path) -> None:
    recommend("r1", ranks=2)
    recommend("r2", ranks=1)
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.recommendations (customer_id, rank, product_id, reason, method, model_version, as_of, run_id) "
            "values ('c3', 2, 'mine', 'Asked for it', 'person', '', '2026-01-02', 'by hand')"
        )
    report = undo("r2")
    assert (report.restored, report.kept) == (9, [{"table": "crm_ai.recommendations", "customer_id": "c3", "rank": 2}])
    assert ask("select product_id from crm_ai.recommendations where customer_id = 'c3' and rank = 2") == [("mine",)]
