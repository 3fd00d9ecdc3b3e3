"""Sources as relations: every column text, every row with its true place in its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_agents.company_settings import Source
from crm_agents.loading import sources
from crm_agents.loading.files import SourceFile
from crm_agents.loading.sources import stage


@pytest.fixture
def work(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as connection:
        for schema in ("staged", "dropped", "malformed", "accounting"):
            connection.execute(f"create schema {schema}")
        connection.execute(sources.DDL)
        yield connection


def file_of(source: Source, path: Path) -> SourceFile:
    return SourceFile(source, path, path.name, 0)


def test_rows_keep_their_place_in_a_large_csv(work: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows = 400_000
    path = tmp_path / "big.csv"
    work.execute("set preserve_insertion_order = true")
    work.execute(f"copy (select range as n, 'some text ' || range as t from range({rows})) to '{path}' (header)")
    source = Source(name="big", file="big.csv")
    [staged] = stage(work, [file_of(source, path)], source, tmp_path)
    assert (staged.rows, staged.malformed) == (rows, 0)
    assert work.execute(
        "select count(*), bool_and(_row = n::bigint + 1), any_value(_source_file) from big"
    ).fetchall() == [(rows, True, "big.csv")]


def test_rows_keep_their_place_around_malformed_lines(work: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    bad = {1, 2, 7, 8, 9, 1_000, 60_000}
    lines = [f"{number},x" if number not in bad else f"{number}" for number in range(1, 60_001)]
    path = tmp_path / "holes.csv"
    path.write_text("n,t\n" + "\n".join(lines) + "\n")
    source = Source(name="holes", file="holes.csv")
    [staged] = stage(work, [file_of(source, path)], source, tmp_path)
    assert (staged.rows, staged.malformed) == (60_000, len(bad))
    assert work.execute("select count(*), bool_and(_row = n::bigint) from holes").fetchall() == [
        (60_000 - len(bad), True)
    ]
    assert {row for (row,) in work.execute("select _row from malformed.lines").fetchall()} == bad


def test_parquet_is_text_and_counted(work: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "year=2024" / "typed.parquet"
    path.parent.mkdir()
    work.execute(
        "copy (select range as n, range / 2 as half, date '2024-01-01' + range::int as day, range % 2 = 0 as even "
        f"from range(3)) to '{path}' (format parquet)"
    )
    source = Source(name="typed", file="typed.parquet")
    stage(work, [file_of(source, path)], source, tmp_path)
    assert work.execute("from typed order by _row").fetchall() == [
        ("0", "0.0", "2024-01-01", "true", "typed.parquet", 1),
        ("1", "0.5", "2024-01-02", "false", "typed.parquet", 2),
        ("2", "1.0", "2024-01-03", "true", "typed.parquet", 3),
    ]


def test_absent_optional_file_is_an_empty_relation(work: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    source = Source(name="notes", file="notes.csv", optional=True, columns=["id", "text"])
    assert stage(work, [], source, tmp_path) == []
    assert work.execute("select id, text, _source_file, _row from notes").fetchall() == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(work: duckdb.DuckDBPyConnection, tmp_path: Path, end: str) -> None:
    path = tmp_path / "ends.csv"
    path.write_bytes(end.join(["a, b ", "1,x", "2,y"]).encode())
    source = Source(name="ends", file="ends.csv", columns=["a", "b"])
    stage(work, [file_of(source, path)], source, tmp_path)
    assert work.execute("select a, b, _row from ends order by 3").fetchall() == [("1", "x", 1), ("2", "y", 2)]
