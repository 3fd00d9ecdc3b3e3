"""The rows that could not be used, whole, into ``crm_ai.quarantine``; and the counts into ``crm_ai.load_counts``."""

from __future__ import annotations

from collections.abc import Sequence

from crm_agents.loading import duck
from crm_agents.loading.sources import StagedFile
from crm_agents.loading.writing import Writer


def write_quarantine(writer: Writer, staged: Sequence[StagedFile]) -> None:
    """Write the quarantined source rows as JSON, each with its place in the file as ``_row``.

    The rows of earlier loads go: quarantine shows what is wrong with the data that the CRM holds, and a row that was
    mended in the file must not stand there for ever. ``crm_ai.load_counts`` keeps the counts of every load.
    """
    writer.run("delete from crm_ai.quarantine where run_id in (select run_id from crm_ai.load_counts)")
    present = {row[0] for row in duck.rows(writer.connection, "select distinct source from accounting.quarantine")}
    for name in dict.fromkeys(part.file.source.name for part in staged):
        if name in present:
            _insert(writer, _whole_rows(writer, name))
    _insert(
        writer,
        """select q.*, to_json({'_row': q._row, 'line': m.line}) as row
        from accounting.quarantine q join malformed.lines m using (source_file, _row)""",
    )


def write_counts(writer: Writer) -> None:
    """Write the counts of every file and table; a retry with the same run id replaces its first try's."""
    writer.run(f"delete from crm_ai.load_counts where run_id = {duck.text(writer.run_id)}")
    writer.connection.execute(
        f"""insert into crm_db.crm_ai.load_counts
            (run_id, table_name, source_file, rows_read, rows_used, rows_quarantined)
        select {duck.text(writer.run_id)}, * from accounting.counts order by table_name, source_file"""
    )


def _whole_rows(writer: Writer, source: str) -> str:
    described = duck.rows(writer.connection, f"describe staged.{duck.name(source)}")
    columns = [row[0] for row in described if row[0] not in ("_source_file", "_row")]
    fields = "".join(f", {duck.name(column)} := s.{duck.name(column)}" for column in columns)
    return f"""select q.*, to_json(struct_pack(_row := q._row{fields})) as row
        from accounting.quarantine q
        join staged.files f on f.source_file = q.source_file
        join staged.{duck.name(source)} s on s._source_file = q.source_file and s._row = q._row + f.rows_before"""


def _insert(writer: Writer, query: str) -> None:
    # jsonb holds no NUL character
    writer.connection.execute(
        f"""insert into crm_db.crm_ai.quarantine (table_name, source_file, row, reason, run_id)
        select table_name, source_file, replace(row::varchar, '\\u0000', ''), reason, {duck.text(writer.run_id)}
        from ({query}) order by table_name, source_file, _row"""
    )
