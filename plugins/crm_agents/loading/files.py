"""Source files before they are read: where they are, what their header says, and whether it is what the mapping needs."""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crm_agents.company import Company
from crm_agents.company_settings import Source
from crm_agents.errors import CrmAgentsError

DELIMITERS = (",", ";", "\t", "|")
HEADER_BYTES = 1_000_000
RESERVED = {"_source_file", "_row", "file_row_number"}


@dataclass(frozen=True)
class SourceFile:
    """One file of a source; `label` is how counts and quarantine call it, `order` its place among the data folders."""

    source: Source
    path: Path
    label: str
    order: int


def find_files(company: Company, folders: Sequence[Path]) -> dict[str, list[SourceFile]]:
    """Find each source's file in each data folder.

    Returns
    -------
    dict
        Source name to its files in the order of the folders; an absent optional source has none.

    Raises
    ------
    CrmAgentsError
        When a folder is not there, a needed file is in none of them, a file found twice cannot be united, or nothing of
        the company is there at all.
    """
    for folder in folders:
        if not folder.is_dir():
            raise CrmAgentsError(f"The data folder {folder} is not there.", "Name an existing one with --data DIR.")
    found = {source.name: _find(source, folders) for source in company.sources}
    if company.sources and not any(found.values()):
        names = ", ".join(source.file for source in company.sources)
        raise CrmAgentsError(
            f"None of the files of company {company.name!r} ({names}) is in {_listed(folders)}.",
            "Name the folder that holds them with --data DIR.",
        )
    for source in company.sources:
        if not found[source.name] and not source.optional:
            raise _missing_file(source, folders)
    return found


def _find(source: Source, folders: Sequence[Path]) -> list[SourceFile]:
    paths = [folder / source.file for folder in folders if (folder / source.file).is_file()]
    if len(paths) > 1 and not source.key:
        raise CrmAgentsError(
            f"{source.file} is in {len(paths)} data folders, and company.yml does not say how to unite its rows.",
            f"Give source {source.name!r} a `key`, or name only one of the folders.",
        )
    labels = [source.file] if len(paths) == 1 else _labels(paths)
    return [
        SourceFile(source, path, label, order) for order, (path, label) in enumerate(zip(paths, labels, strict=True))
    ]


def _labels(paths: Sequence[Path]) -> list[str]:
    short = [f"{path.parent.name}/{path.name}" for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _missing_file(source: Source, folders: Sequence[Path]) -> CrmAgentsError:
    present = [path.name for folder in folders for path in folder.iterdir() if path.is_file()]
    nearest = difflib.get_close_matches(source.file, present, n=1)
    hint = f" (the nearest there is {nearest[0]})" if nearest else ""
    return CrmAgentsError(
        f"{source.file} is not in {_listed(folders)}{hint}.",
        f"Add it, or mark source {source.name!r} as `optional: true` in company.yml.",
    )


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(str(folder) for folder in folders)


def unpacked(file: SourceFile, spill: Path) -> Path:
    """Return a path that DuckDB can read: the file itself, or the one csv inside a zip, unpacked into `spill`."""
    if file.path.suffix != ".zip":
        return file.path
    try:
        with zipfile.ZipFile(file.path) as archive:
            inside = [name for name in archive.namelist() if name.lower().endswith(".csv") and "__MACOSX" not in name]
            if len(inside) != 1:
                raise CrmAgentsError(f"{file.path} holds {len(inside)} csv files.", "It must hold exactly one.")
            target = spill / f"{file.source.name}_{file.order}.csv"
            with archive.open(inside[0]) as packed, target.open("wb") as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)
    except zipfile.BadZipFile as error:
        raise CrmAgentsError(f"{file.path} is not a zip file.", "Export or copy it again.") from error
    return target


def read_header(file: SourceFile, path: Path) -> tuple[list[str], str | None]:
    """Read the column names of a csv file.

    Parameters
    ----------
    file : SourceFile
        Names the file in errors and gives delimiter and encoding.
    path : Path
        The csv itself (`unpacked`), plain or gzipped.

    Returns
    -------
    tuple[list[str], str or None]
        Column names, trimmed, and the line end when DuckDB has to be told (old Mac files).

    Raises
    ------
    CrmAgentsError
        When the file is empty, in another encoding, or separated by another delimiter.
    """
    text = _decoded_start(file, path)
    record = next(csv.reader(io.StringIO(text, newline=""), delimiter=file.source.delimiter), [])
    if not any(name.strip() for name in record):
        raise CrmAgentsError(f"{file.path} is empty.", "A csv file needs at least its header line.")
    check_delimiter(file, record)
    names = [name.strip() or f"column_{number}" for number, name in enumerate(record, start=1)]
    lowered = [name.casefold() for name in names]
    repeated = sorted({name for name in lowered if lowered.count(name) > 1})
    if repeated:
        raise CrmAgentsError(f"{file.path} has two columns called {repeated[0]!r}.", "Rename one of them.")
    return names, r"\r" if "\r" in text and "\n" not in text else None


def _decoded_start(file: SourceFile, path: Path) -> str:
    encoding = file.source.encoding
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            start = stream.read(HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise CrmAgentsError(f"{file.path} cannot be read: {error}.", "Check the file and its rights.") from error
    if encoding == "utf-8" and start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise wrong_encoding(file, "its first bytes are those of utf-16", "utf-16")
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("strict")
    try:
        return decoder.decode(start, final=len(start) < HEADER_BYTES)
    except UnicodeDecodeError as error:
        line = start[: error.start].count(b"\n") + 1
        raise wrong_encoding(file, f"line {line} does not decode") from error
    except UnicodeError as error:
        raise wrong_encoding(file, "it does not begin with the mark of a utf-16 file") from error


def wrong_encoding(file: SourceFile, why: str, likely: str = "latin-1") -> CrmAgentsError:
    """Return the error of a file that is not in the encoding that company.yml says."""
    likely = likely if likely != file.source.encoding else "utf-8"
    return CrmAgentsError(
        f"{file.path} is not {file.source.encoding}: {why}.",
        f"Set `encoding: {likely}` for source {file.source.name!r} in company.yml, or save the file as utf-8.",
    )


def check_delimiter(file: SourceFile, header: Sequence[str]) -> None:
    """Refuse a header that another delimiter would split into more of the needed columns."""
    declared = file.source.delimiter
    line = declared.join(header)
    needed = {name.casefold() for name in file.source.columns}

    def useful(delimiter: str) -> int:
        fields = [field.strip().strip('"').casefold() for field in line.split(delimiter)]
        return len(needed.intersection(fields)) if needed else len(fields)

    best = max(DELIMITERS, key=useful)
    if useful(best) > useful(declared) and len(header) == 1:
        raise CrmAgentsError(
            f"{file.path} is separated by {best!r}, not by {declared!r}.",
            f"Set `delimiter: {best!r}` for source {file.source.name!r} in company.yml.",
        )


def check_columns(file: SourceFile, present: Sequence[str]) -> None:
    """Refuse a file that lacks a column that company.yml names for it.

    Raises
    ------
    CrmAgentsError
        Naming the file, the missing columns, and for the first of them the nearest one present.
    """
    known = {name.casefold(): name for name in present}
    reserved = sorted(RESERVED.intersection(known))
    if reserved:
        raise CrmAgentsError(f"{file.path} has a column {reserved[0]!r}, a name that load needs itself.", "Rename it.")
    missing = [name for name in (*file.source.columns, *file.source.key) if name.casefold() not in known]
    if not missing:
        return
    near = nearest(missing[0], present)
    hint = f"; the nearest to {missing[0]!r} is {near!r}" if near else f" (it has {', '.join(present)})"
    raise CrmAgentsError(
        f"{file.path} has no column {', '.join(repr(name) for name in dict.fromkeys(missing))}{hint}.",
        f"Rename it in the file, or change source {file.source.name!r} in company.yml and the SQL that reads it.",
    )


def nearest(missing: str, present: Sequence[str]) -> str | None:
    """Return the column that `missing` was probably renamed to: one that contains it or is contained, else one spelt alike."""
    wanted = missing.casefold()
    known = {name.casefold(): name for name in present}
    related = [name for name in known if wanted in name or name in wanted]
    alike = difflib.get_close_matches(wanted, related or known, n=1, cutoff=0.0 if related else 0.5)
    return known[alike[0]] if alike else None
