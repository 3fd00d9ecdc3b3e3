"""Parquet files written piece by piece, that appear all at once when they are complete."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from crm_agents.errors import CrmAgentsError

MARKER = "simulation.json"  # names a folder as ours, so that only such a folder is ever replaced


def source_file(table: str) -> str:
    """Return the file name of a table."""
    return f"{table}.parquet"


class ParquetFolder:
    """A folder of Parquet files, one a table.

    Written beside its place and renamed into it at the end: what is there is always whole.

    Parameters
    ----------
    target : Path
        Where the folder will stand. An earlier simulation there is replaced; anything else is left alone.

    Raises
    ------
    CrmAgentsError
        When `target` holds something that is not a simulation.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        if target.exists() and (not target.is_dir() or any(target.iterdir())) and not (target / MARKER).is_file():
            raise CrmAgentsError(
                f"{target} holds something that is not a simulation, so it is not replaced.", "Name another folder."
            )
        self.rows: dict[str, int] = {}
        self._partial = target.with_name(target.name + ".partial")
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> ParquetFolder:
        """Begin with an empty folder beside the target."""
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        return self

    def append(self, name: str, table: pa.Table) -> int:
        """Append rows to a table's file and return how many rows it had before."""
        if name not in self._writers:
            self._writers[name] = pq.ParquetWriter(
                self._partial / source_file(name), table.schema, compression="zstd", compression_level=1
            )
        before = self.rows.get(name, 0)
        self._writers[name].write_table(table)
        self.rows[name] = before + table.num_rows
        return before

    def write_text(self, name: str, text: str) -> None:
        """Write a small file beside the tables."""
        (self._partial / name).write_text(text, encoding="utf-8")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the complete folder into its place; after an error leave what was there before."""
        for writer in self._writers.values():
            writer.close()
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        old = self.target.with_name(self.target.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if self.target.exists():
            self.target.rename(old)
        self._partial.rename(self.target)
        shutil.rmtree(old, ignore_errors=True)
