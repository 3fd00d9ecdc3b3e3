"""What will be written into the CRM on which day: new rows, and changes of rows that are there.

An event is known in full when it begins (an order knows when its parcel will come), but the CRM learns of it piece by
piece. So each piece is entered under its day, and a day's pieces are taken out when the day is over.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_agents.crm_schema import crm_tables
from crm_agents.simulator import columns
from crm_agents.simulator.columns import DAY


@dataclass(frozen=True)
class Changes:
    """One day's writes: whole new rows, and changed columns of known rows (key and changed columns only), by table.

    Every row has `updated_at`; of several changes of a row on one day only the last is kept.
    """

    inserts: dict[str, pa.Table]
    updates: dict[str, pa.Table]

    @property
    def rows(self) -> int:
        """Return how many rows are written."""
        return sum(table.num_rows for group in (self.inserts, self.updates) for table in group.values())


class Journal:
    """Pieces by day.

    Parameters
    ----------
    start : int
        Days from 1970 to day number 0.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self._inserts: dict[int, dict[str, list[pa.Table]]] = defaultdict(lambda: defaultdict(list))
        self._updates: dict[int, dict[str, list[pa.Table]]] = defaultdict(lambda: defaultdict(list))

    def insert(self, name: str, rows: pa.Table, at: np.ndarray) -> None:
        """Enter new rows of table `name`, known from second `at` on (one for each row)."""
        self._enter(self._inserts, name, rows, at)

    def update(self, name: str, rows: pa.Table, at: np.ndarray) -> None:
        """Enter changes: the key and every column that can change, as they are from second `at` on."""
        self._enter(self._updates, name, rows, at)

    def take(self, day: int) -> Changes:
        """Return what is due on day number `day`, and forget it."""
        inserts, updates = self._inserts.pop(day, {}), self._updates.pop(day, {})
        return Changes(
            {name: pa.concat_tables(parts) for name, parts in inserts.items()},
            {name: _last_of_each(name, pa.concat_tables(parts)) for name, parts in updates.items()},
        )

    def _enter(self, calendar: dict[int, dict[str, list[pa.Table]]], name: str, rows: pa.Table, at: np.ndarray) -> None:
        if not rows.num_rows:
            return
        at = np.asarray(at, dtype=np.int64)
        if "changed_at" in rows.column_names:
            rows = rows.drop_columns(["changed_at"])
        rows = rows.append_column("updated_at", columns.times(at))
        order = np.argsort(at, kind="stable")
        rows, day = rows.take(pa.array(order)), at[order] // DAY - self.start
        starts = np.flatnonzero(np.diff(day, prepend=-1))
        for first, last in zip(starts, [*starts[1:], len(day)], strict=True):
            calendar[int(day[first])][name].append(rows.slice(first, last - first))


def _last_of_each(name: str, rows: pa.Table) -> pa.Table:
    rows = rows.sort_by("updated_at")
    key = pc.binary_join_element_wise(*(pc.cast(rows[part], pa.string()) for part in crm_tables()[name].key), "|")
    _, backwards = np.unique(key.to_numpy()[::-1].astype(str), return_index=True)
    return rows.take(pa.array(np.sort(rows.num_rows - 1 - backwards)))
