"""`load`: one company's data into the CRM, all or nothing."""

from __future__ import annotations

import difflib
import fcntl
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crm_agents import lake, postgres
from crm_agents.company import Company, find_company, read_company
from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import accounting, casts, duck, sources
from crm_agents.loading.checks import check_table
from crm_agents.loading.files import find_files
from crm_agents.loading.mapping import MappedTable, find_mappings, map_table
from crm_agents.loading.quarantine import write_counts, write_quarantine
from crm_agents.loading.report import FileCounts, LoadReport, TableCounts
from crm_agents.loading.rules import owners_first
from crm_agents.loading.sources import StagedFile
from crm_agents.loading.writing import Writer
from crm_agents.settings import Settings, load_settings

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[str], None]
WORK_SCHEMAS = ("staged", "dropped", "malformed", "mapped", "rejected", "accepted", "accounting")


def load(
    company: str,
    data: Sequence[Path] = (),
    *,
    run_id: str | None = None,
    customers: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Make the CRM hold this company, as its mapping reads its source files.

    Rows that cannot be used go to ``crm_ai.quarantine``; for every file used + quarantined = read. Everything happens in
    one transaction: a load that fails leaves the CRM as it was, a load of the same data changes nothing.

    Parameters
    ----------
    company : str
        Name under ``examples/companies``, or a folder with a company.yml and one SQL file per CRM table.
    data : sequence of Path
        Folders with the source files; the company's own folder when empty. Of a file in several folders the rows are
        united by the key of its source.
    run_id : str, optional
        Marks counts and quarantine; made up when absent.
    customers, seed : int, optional
        Size and seed of a simulated company.
    progress : callable, optional
        Is told a line at each step.

    Raises
    ------
    CrmAgentsError
        When a file, a setting or a mapping is wrong, naming it and the way out.
    """
    started = time.monotonic()
    settings, tell = load_settings(), progress or (lambda line: None)
    run_id = run_id or f"load_{datetime.now(UTC):%Y%m%dT%H%M%S}_{uuid.uuid4().hex[:6]}"
    folder = find_company(company)
    config = read_company(folder)
    postgres.connect("crm", settings=settings).close()  # a server that is down is told before the work, not after it
    with _one_at_a_time(settings, tell), _workspace(settings) as (connection, spill):
        folders = _data_folders(config, folder, data, customers, seed, settings, tell)
        prepared = _prepare(connection, spill, folder, config, folders, tell)
        replaced, tables = _write(connection, config, prepared, run_id, settings, tell)
        _keep_company(folder, settings)
        return LoadReport(
            run_id=run_id,
            company=config.name,
            replaced=replaced,
            files=tuple(prepared.files),
            tables=tuple(tables),
            reasons=tuple(accounting.reasons(connection)),
            notes=tuple(prepared.notes),
            seconds=time.monotonic() - started,
        )


@dataclass(frozen=True)
class _Prepared:
    """What is ready to be written: relations in the work database, and what is known about them."""

    staged: list[StagedFile]
    tables: list[MappedTable]
    files: list[FileCounts]
    notes: list[str]


@contextmanager
def _workspace(settings: Settings) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open DuckDB on a work database in a spill folder; both are gone afterwards."""
    import duckdb

    root = settings.duckdb_dir / "spill"
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.glob("load-*"):  # of a load that was killed; no other one is under way
        shutil.rmtree(leftover, ignore_errors=True)
    spill = Path(tempfile.mkdtemp(prefix="load-", dir=root))
    connection = lake.open_duckdb(settings)
    try:
        connection.execute(f"attach {duck.text(str(spill / 'work.duckdb'))} as work")
        connection.execute("use work")
        connection.execute("set python_enable_replacements = false")
        for schema in WORK_SCHEMAS:
            connection.execute(f"create schema {schema}")
        casts.define_macros(connection)
        yield connection, spill
    except duckdb.OperationalError as error:  # no memory, no disk: neither the files nor the mapping are to blame
        raise CrmAgentsError(
            f"The load could not go on: {duck.message(error)}.",
            f"Free disk space in {settings.home}, or raise CRM_AGENTS_DUCKDB_MEMORY ({settings.duckdb_memory_limit}).",
        ) from error
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def _one_at_a_time(settings: Settings, tell: Progress) -> Iterator[None]:
    """Let a second load of this installation wait, and say so."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    with (settings.run_dir / "load.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another load is under way: this one waits for its turn")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _data_folders(
    config: Company,
    folder: Path,
    data: Sequence[Path],
    customers: int | None,
    seed: int | None,
    settings: Settings,
    tell: Progress,
) -> list[Path]:
    """Return the folders with the source files; for a simulated company without `data` they are generated first."""
    asked = {name: value for name, value in (("customers", customers), ("seed", seed)) if value is not None}
    if config.generator == "simulator" and not data:
        from crm_agents.simulator import generate

        target = settings.home / "sources" / config.name
        generate(target, truth=settings.truth_dir, progress=tell, **asked)  # type: ignore[arg-type]
        return [target]
    if asked:
        raise CrmAgentsError(
            f"Company {config.name!r} comes from files: customers and seed do not apply to it.",
            "Leave those options out, or load the simulated company.",
        )
    return list(data) or [folder]


def _prepare(
    connection: duckdb.DuckDBPyConnection,
    spill: Path,
    folder: Path,
    config: Company,
    folders: Sequence[Path],
    tell: Progress,
) -> _Prepared:
    """Read, map, check and count; the CRM is not touched."""
    mappings = find_mappings(folder)
    found = find_files(config, folders)
    connection.execute(sources.DDL)
    staged, notes = [], []
    for source in config.sources:
        parts = sources.stage(connection, found[source.name], source, spill)
        staged += parts
        if not parts:
            notes.append(f"{source.file} is not there: what it would fill stays empty.")
        tell(f"read {source.file}: {sum(part.rows for part in parts):,} rows")
    last_event_on = config.last_event_on or config.as_of or datetime.now(UTC).date()
    tables: list[MappedTable] = []
    for name in (name for name in owners_first() if name in mappings):
        mapped = map_table(connection, crm_tables()[name], mappings[name], last_event_on)
        mapped = check_table(connection, mapped, [table.table.name for table in tables if table.rows])
        tables.append(mapped)
        notes += _notes_on_columns(mapped)
        rejected = f", {mapped.rejected:,} of them rejected" if mapped.rejected else ""
        tell(f"mapped crm.{name}: {mapped.rows:,} rows{rejected}")
    return _Prepared(staged, tables, accounting.account(connection, staged, tables), notes)


def _notes_on_columns(mapped: MappedTable) -> list[str]:
    if not mapped.extra:
        return []
    nearest = [
        f"{column} (did you mean {near[0]}?)" if near else column
        for column in mapped.extra
        for near in [difflib.get_close_matches(column, mapped.table.columns, n=1, cutoff=0.8)]
    ]
    return [f"crm.{mapped.table.name} gets columns beyond the CRM schema, kept as text: {', '.join(nearest)}."]


def _write(
    connection: duckdb.DuckDBPyConnection,
    config: Company,
    prepared: _Prepared,
    run_id: str,
    settings: Settings,
    tell: Progress,
) -> tuple[str | None, list[TableCounts]]:
    """Write everything in one transaction; return the name of the company that had to go, and the counts per table."""
    by_name = {mapped.table.name: mapped for mapped in prepared.tables}
    newest = _newest_event(connection, prepared.tables)
    counts = []
    with Writer(connection, run_id) as writer:
        replaced = _other_company(config, settings) if writer.holding else None
        if replaced:
            tell(f"company {replaced} goes: the CRM is emptied; what agents wrote (crm_ai) stays")
            writer.empty()
        for name in owners_first():
            if name in by_name:
                tell(f"writing crm.{name}")
                counts.append(writer.write_table(by_name[name], newest))
            elif (cleared := writer.clear_table(name)).removed:
                counts.append(cleared)
        write_quarantine(writer, prepared.staged)
        write_counts(writer)
    return replaced, counts


def _newest_event(connection: duckdb.DuckDBPyConnection, tables: Sequence[MappedTable]) -> str:
    newest = [
        duck.value(connection, f"select max(updated_at)::varchar from accepted.{duck.name(mapped.table.name)}")
        for mapped in tables
    ]
    return max((moment for moment in newest if moment), default="1970-01-01 00:00:00+00")


def _other_company(config: Company, settings: Settings) -> str | None:
    """Return the name of the company in the CRM when it is another one."""
    if not (settings.company_dir / "company.yml").is_file():
        return None
    name = read_company(settings.company_dir).name
    return name if name != config.name else None


def _keep_company(folder: Path, settings: Settings) -> None:
    """Copy company.yml and the SQL into the home folder: what runs later reads this copy, whatever becomes of the folder."""
    if folder == settings.company_dir:
        return
    new, old = settings.company_dir.with_suffix(".new"), settings.company_dir.with_suffix(".old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    for path in (folder / "company.yml", *sorted(folder.glob("*.sql"))):
        shutil.copyfile(path, new / path.name)
    if settings.company_dir.exists():
        settings.company_dir.rename(old)
    new.rename(settings.company_dir)
    shutil.rmtree(old, ignore_errors=True)
