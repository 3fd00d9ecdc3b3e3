"""Several runs write into one lake table at once, as a backfill of several days does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crm_agents import lake

TABLE = "predictions.at_once"
ROUNDS = 4


def write(run_id: str) -> None:
    """Write the rows of a run again and again, as retries would."""
    with lake.connect() as connection:
        for round_number in range(ROUNDS):
            query = f"select '{run_id}' as run_id, range as customer_id, {round_number} as value from range(200)"
            lake.replace_rows(connection, TABLE, run_id, query)


def test_runs_side_by_side_lose_and_double_nothing(installation: Path) -> None:
    runs = [f"run-{number}" for number in range(3)]
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(write, runs))
    with lake.connect() as connection:
        found = connection.execute(f"select run_id, count(*), min(value) from {TABLE} group by 1 order by 1").fetchall()
    assert found == [(run, 200, ROUNDS - 1) for run in runs]


def test_a_table_of_an_older_release_gets_the_new_columns(installation: Path) -> None:
    with lake.connect() as connection:
        lake.replace_rows(connection, "predictions.older", "a", "select 'a' as run_id, 1 as value")
        lake.replace_rows(connection, "predictions.older", "b", "select 'b' as run_id, 2 as value, 'why' as reason")
        rows = connection.execute("select run_id, value, reason from predictions.older order by 1").fetchall()
    assert rows == [("a", 1, None), ("b", 2, "why")]
