"""Finds keys that occur twice, fast enough for a first load of twenty million rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from expectations.rules import Suite

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray


def count_duplicates(
    connection: duckdb.DuckDBPyConnection, suites: Sequence[Suite], sources: Mapping[Suite, str]
) -> dict[Suite, int]:
    """Return how many rows repeat the key of another one.

    All keys of all tables are hashed to 64 bits and sorted at once, a third of the time that GROUP BY takes on 20
    million keys. Only when two hashes are equal (one chance in 90,000 without a duplicate) is each table grouped.
    """
    if not suites:
        return {}
    answer = connection.execute(
        " union all ".join(
            f"select hash('{suite.table}', {', '.join(suite.key)}) as h from {sources[suite]} and {_key_filled(suite)}"
            for suite in suites
        )
    )
    if not _repeats(np.asarray(answer.fetchnumpy()["h"], dtype=np.uint64)):
        return {}
    found = connection.execute(
        " union all ".join(
            f"select {number}, coalesce(sum(n - 1), 0)::bigint from ({repeated_keys(suite, sources[suite])})"
            for number, suite in enumerate(suites)
        )
    ).fetchall()
    return {suites[number]: count for number, count in found}


def _repeats(hashes: NDArray[np.uint64]) -> bool:
    """Tell whether a value occurs twice; two halves are sorted at once, because numpy sorts on one core only."""
    middle = 1 << 63

    def half_repeats(upper: bool) -> bool:
        half = hashes[hashes >= middle] if upper else hashes[hashes < middle]
        half.sort()
        return bool((half[1:] == half[:-1]).any())

    with ThreadPoolExecutor(2) as pool:
        return any(pool.map(half_repeats, (False, True)))


def repeated_keys(suite: Suite, source: str) -> str:
    return (
        f"select {', '.join(suite.key)}, count(*) as n from {source} and {_key_filled(suite)} group by all having n > 1"
    )


def _key_filled(suite: Suite) -> str:
    return " and ".join(f"{column} is not null" for column in suite.key)
