"""Into the CRM: one PostgreSQL transaction for everything, and only the rows that differ.

An empty table is filled by COPY, with its indexes built afterwards. A table that holds rows is compared by key and by a
hash of its columns, read columnar by DuckDB: new rows are copied in, changed ones updated, absent ones deleted, equal ones
not touched. ``updated_at`` is not compared. The first fill of a table keeps the mapping's ``updated_at`` (the row's newest
event); later new or changed rows carry the moment of the load, because an ingest may have read past their event.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crm_agents import postgres
from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import duck
from crm_agents.loading.mapping import MappedTable, lake_type
from crm_agents.loading.report import TableCounts

if TYPE_CHECKING:
    import duckdb

INDEX_AFTERWARDS_FROM = 50_000  # rows; below, keeping the indexes up to date is cheaper than building them anew

# An index that belongs to a constraint (the primary key) is taken away and given back as that constraint
_INDEXES = """
select 'alter table {table} drop constraint ' || quote_ident(c.conname) as drop_constraint,
       'drop index ' || i.oid::regclass as drop_index,
       'alter table {table} add constraint ' || quote_ident(c.conname) || ' ' || pg_get_constraintdef(c.oid)
           as make_constraint,
       pg_get_indexdef(i.oid) as make_index
from pg_index x
join pg_class i on i.oid = x.indexrelid
left join pg_constraint c on c.conindid = i.oid and c.contype in ('p', 'u')
where x.indrelid = '{table}'::regclass
order by i.relname
"""


class Writer:
    """One transaction on the CRM database, seen from DuckDB as ``crm_db``.

    Used as a context manager: left without an error it commits, otherwise the CRM stays as it was.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
        self.connection = connection
        self.run_id = run_id
        self.stages = 0

    def __enter__(self) -> Writer:
        with _told():
            self.connection.execute(f"attach '{postgres.conninfo('crm')}' as crm_db (type postgres)")
            self.connection.execute("set pg_null_byte_replacement = ' '")
            self.connection.execute("begin")
            try:
                self._prepare()
            except BaseException:
                self._leave("rollback")
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        with _told():
            try:
                self._leave("rollback" if kind else "commit")
            finally:
                if error:
                    raise error

    def _prepare(self) -> None:
        tables = ", ".join(f"crm.{table}" for table in crm_tables())
        # the first statement, because DuckDB's transactions see the moment of their first query: a load that waited for
        # another one here sees what that one wrote
        self.run(f"lock table {tables} in share row exclusive mode")
        # people who write meanwhile wait, so this moment is later than any updated_at that an ingest can have seen
        self.moment = self.ask("select clock_timestamp()::text")
        self.filled_before = {row[0] for row in self.rows("select distinct table_name from crm_ai.load_counts")}
        held = " union all ".join(f"select '{table}' where exists (select from crm.{table})" for table in crm_tables())
        self.holding = {row[0] for row in self.rows(held)}
        if self.holding and not self.filled_before:
            raise CrmAgentsError(
                f"Schema crm holds rows that no load has written (in {', '.join(sorted(self.holding))}).",
                "A load replaces them: use another database, or empty those tables first.",
            )

    def _leave(self, how: str) -> None:
        try:
            self.connection.execute(how)
        finally:
            self.connection.execute("detach crm_db")

    def run(self, sql: str) -> None:
        """Run a statement in PostgreSQL, within the transaction."""
        self.connection.execute(f"call postgres_execute('crm_db', {duck.text(sql)})")

    def rows(self, sql: str) -> list[tuple]:
        """Return the rows of a query in PostgreSQL, within the transaction."""
        return duck.rows(self.connection, f"from postgres_query('crm_db', {duck.text(sql)})")

    def ask(self, sql: str) -> str:
        """Return the one value of a query in PostgreSQL."""
        return str(self.rows(sql)[0][0])

    def empty(self) -> None:
        """Empty every CRM table: another company comes."""
        self.run(f"truncate {', '.join(f'crm.{table}' for table in crm_tables())}")
        self.holding = set()

    def write_table(self, mapped: MappedTable, newest: str) -> TableCounts:
        """Make ``crm.<table>`` equal to ``accepted.<table>``.

        Parameters
        ----------
        newest : str
            Moment for rows that have none of their own: the newest of the whole load.
        """
        table = mapped.table.name
        used = int(duck.value(self.connection, f"select count(*) from accepted.{duck.name(table)}"))
        for column in mapped.extra:
            self.run(f"alter table crm.{table} add column if not exists {duck.name(column)} text")
        if mapped.extra:
            self.connection.execute("call pg_clear_cache()")
        if table not in self.holding:
            is_first = table not in self.filled_before
            moment = f"coalesce(updated_at, timestamptz '{newest}')" if is_first else f"timestamptz '{self.moment}'"
            self._fill(mapped, used, moment)
            return TableCounts(table, mapped.rows, used, used, 0, 0)
        counts = TableCounts(table, mapped.rows, used, *self._bring_up_to_date(mapped))
        held = int(self.ask(f"select count(*) from crm.{table}"))
        if held != used:
            raise CrmAgentsError(
                f"crm.{table} would hold {held:,} rows instead of {used:,}; the CRM stays as it was.",
                "This is a fault of the program: please report it with the counts of `crm-agents load`.",
            )
        return counts

    def clear_table(self, table: str) -> TableCounts:
        """Empty one CRM table that the company does not fill."""
        removed = int(self.ask(f"select count(*) from crm.{table}")) if table in self.holding else 0
        if removed:
            self.run(f"delete from crm.{table}")
        return TableCounts(table, 0, 0, 0, 0, removed)

    def _fill(self, mapped: MappedTable, rows: int, moment: str) -> None:
        table = mapped.table.name
        indexes = self.rows(_INDEXES.format(table=f"crm.{table}")) if rows >= INDEX_AFTERWARDS_FROM else []
        for drop_constraint, drop_index, _, _ in indexes:
            self.run(drop_constraint or drop_index)
        self._insert(mapped, f"accepted.{duck.name(table)}", moment)
        for _, _, make_constraint, make_index in indexes:
            self.run(make_constraint or make_index)

    def _insert(self, mapped: MappedTable, relation: str, moment: str) -> None:
        columns = [column for column in mapped.columns if column != "updated_at"]
        self.connection.execute(
            f"insert into crm_db.crm.{duck.name(mapped.table.name)} ({duck.names([*columns, 'updated_at'])}) "
            f"select {duck.names(columns)}, {moment} from {relation}"
        )

    def _bring_up_to_date(self, mapped: MappedTable) -> tuple[int, int, int]:
        """Insert, change and remove what differs; return how many of each."""
        table, key = mapped.table.name, mapped.table.key
        merged_key = ", ".join(
            f"coalesce(o.{duck.name(part)}, t.{duck.name(part)}) as {duck.name(part)}" for part in key
        )
        same_key = " and ".join(f"o.{duck.name(part)} = t.{duck.name(part)}" for part in key)
        self.connection.execute(
            f"""create or replace temp table difference as
            select o._mapped, {merged_key},
                   case when t._hash is null then 'insert' when o._hash is null then 'delete' else 'update' end
                       as operation
            from (select {duck.names(key)}, _mapped, {_fingerprint(mapped, given=True)} as _hash
                  from accepted.{duck.name(table)}) o
            full join (select {duck.names(key)}, {_fingerprint(mapped, given=False)} as _hash
                       from crm_db.crm.{duck.name(table)}) t on {same_key}
            where o._hash is distinct from t._hash"""
        )
        counts = dict(duck.rows(self.connection, "select operation, count(*) from difference group by operation"))
        for operation, act in (("delete", self._delete), ("update", self._update), ("insert", self._insert_new)):
            if counts.get(operation):
                act(mapped)
        return counts.get("insert", 0), counts.get("update", 0), counts.get("delete", 0)

    def _insert_new(self, mapped: MappedTable) -> None:
        name = duck.name(mapped.table.name)
        new = f"(from accepted.{name} semi join (from difference where operation = 'insert') using (_mapped))"
        self._insert(mapped, new, f"timestamptz '{self.moment}'")

    def _update(self, mapped: MappedTable) -> None:
        table, key = mapped.table, mapped.table.key
        given = [column for column in mapped.columns if column not in ("updated_at", *key)]
        absent = [column for column in table.columns if column not in (*mapped.columns, "updated_at")]
        values = [f"{duck.name(column)} = s.{duck.name(column)}{_postgres_cast(mapped, column)}" for column in given]
        values += [f"{duck.name(column)} = null" for column in absent]
        values.append(f"updated_at = '{self.moment}'")
        stage = self._stage(
            f"select {duck.names([*key, *given])} from accepted.{duck.name(table.name)} "
            "semi join (from difference where operation = 'update') using (_mapped)"
        )
        self.run(f"update crm.{table.name} t set {', '.join(values)} from {stage} s where {_same(key)}")
        self.run(f"drop table {stage}")

    def _delete(self, mapped: MappedTable) -> None:
        key = mapped.table.key
        stage = self._stage(f"select {duck.names(key)} from difference where operation = 'delete'")
        self.run(f"delete from crm.{mapped.table.name} t using {stage} s where {_same(key)}")
        self.run(f"drop table {stage}")

    def _stage(self, query: str) -> str:
        """Copy the rows of `query` into a table that nobody else ever sees; return its name.

        Each stage has a name of its own: DuckDB remembers tables that PostgreSQL has dropped, and would write into nothing.
        """
        self.stages += 1
        stage = f"_load_{uuid.uuid4().hex[:12]}_{self.stages}"
        self.connection.execute(f"create table crm_db.crm_ai.{stage} as {query}")
        self.run(f"analyze crm_ai.{stage}")
        return f"crm_ai.{stage}"


@contextmanager
def _told() -> Iterator[None]:
    """Tell a failure of PostgreSQL as one sentence."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise CrmAgentsError(
            f"PostgreSQL did not take the load, and the CRM is as it was: {duck.message(error)}.",
            "`crm-agents status` shows whether it runs; then load again.",
        ) from error


def _same(key: Sequence[str]) -> str:
    return " and ".join(f"t.{duck.name(part)} = s.{duck.name(part)}" for part in key)


def _postgres_cast(mapped: MappedTable, column: str) -> str:
    return "::jsonb" if lake_type(mapped.table, column) == "JSON" else ""


def _fingerprint(mapped: MappedTable, *, given: bool) -> str:
    """Return SQL for the hash of a row's columns, the same for the mapped row (`given`) and for the CRM's."""
    table = mapped.table
    compared = dict.fromkeys(c for c in (*table.columns, *mapped.columns) if c not in ("updated_at", *table.key))
    parts = [
        _comparable(duck.name(column) if column in mapped.columns or not given else "null", lake_type(table, column))
        for column in compared
    ]
    return f"hash({', '.join(parts) or '0'})"


def _comparable(value: str, kind: str) -> str:
    """Return SQL for a value as both sides write it: PostgreSQL sorts and spaces the keys of its jsonb anew."""
    if kind != "JSON":
        return f"cast({value} as {kind})"
    leaves = "fullkey || ' ' || type || ' ' || coalesce(atom::varchar, '')"
    return f"(select list({leaves} order by fullkey) from json_tree({value}::json))"
