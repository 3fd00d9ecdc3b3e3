"""What a load did, counted so that nothing can be missing: for each file used + quarantined = read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileCounts:
    """One source file, counted by its rows.

    A row is used when at least one CRM row that it contributed to was used. `repeated` rows are equal to rows of a folder
    named earlier; they share the fate of those and are among the used or quarantined.
    """

    file: str
    read: int
    used: int
    repeated: int = 0

    @property
    def quarantined(self) -> int:
        """Rows of which nothing reached the CRM."""
        return self.read - self.used


@dataclass(frozen=True)
class TableCounts:
    """One CRM table: the rows that its mapping made, and what became of them in the CRM."""

    table: str
    read: int
    used: int
    inserted: int
    changed: int
    removed: int

    @property
    def quarantined(self) -> int:
        """Rows that the mapping made and the CRM did not take."""
        return self.read - self.used

    @property
    def unchanged(self) -> int:
        """Rows that the CRM held already."""
        return self.used - self.inserted - self.changed


@dataclass(frozen=True)
class Reason:
    """Why rows were quarantined; `example` is the place of the first such row. No values: reports are not private."""

    table: str
    rule: str
    rows: int
    example: str


@dataclass(frozen=True)
class LoadReport:
    """The result of `crm_agents.loading.load`."""

    run_id: str
    company: str
    replaced: str | None
    files: tuple[FileCounts, ...]
    tables: tuple[TableCounts, ...]
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def rows_read(self) -> int:
        """Rows in all source files."""
        return sum(counts.read for counts in self.files)

    @property
    def rows_used(self) -> int:
        """Source rows of which something reached the CRM."""
        return sum(counts.used for counts in self.files)

    @property
    def rows_quarantined(self) -> int:
        """Source rows of which nothing reached the CRM."""
        return sum(counts.quarantined for counts in self.files)

    def table(self, name: str) -> TableCounts:
        """Return the counts of one CRM table (zeros when the company does not fill it)."""
        found = [counts for counts in self.tables if counts.table == name]
        return found[0] if found else TableCounts(name, 0, 0, 0, 0, 0)
