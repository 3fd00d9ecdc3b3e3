"""PostgreSQL and the lake: a fresh installation is complete, closed to strangers, and safe to create twice."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest

from crm_agents import lake, postgres


def test_bootstrap_twice_keeps_tables(installation: Path) -> None:
    with postgres.connect() as crm:
        crm.execute("insert into crm.customers (customer_id, name) values ('c1', 'Ada')")
    postgres.bootstrap()
    lake.bootstrap()
    with postgres.connect() as crm:
        assert crm.execute("select count(*) from crm.customers").fetchone() == (1,)


def test_secrets_are_private(installation: Path) -> None:
    postgres.passfile()
    assert stat.S_IMODE((installation / "secrets" / "pgpass").stat().st_mode) == 0o600
    assert "password" not in postgres.conninfo("crm").replace("passfile", "")


def test_no_login_without_password(installation: Path) -> None:
    address = postgres.server()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=address.host, port=address.port, user=address.user, dbname="crm", passfile="/dev/null")


def test_lake_round_trip(installation: Path) -> None:
    with lake.connect(with_crm=True) as connection:
        connection.execute("create table raw.t as select range as id from range(1000)")
        before = lake.current_snapshot(connection)
        connection.execute("delete from raw.t where id < 500")
        assert connection.execute("select count(*) from raw.t").fetchone() == (500,)
        assert connection.execute(f"select count(*) from raw.t at (version => {before})").fetchone() == (1000,)
        assert connection.execute("select count(*) from crm_db.crm.customers").fetchone() == (0,)


def test_updated_at_moves_with_a_change_by_hand(installation: Path) -> None:
    with postgres.connect() as crm:
        crm.execute("insert into crm.customers (customer_id, updated_at) values ('c1', '2020-01-01')")
        crm.execute("update crm.customers set city = 'Rome'")
        row = crm.execute("select updated_at > '2025-01-01' from crm.customers").fetchone()
    assert row == (True,)


def test_what_people_and_agents_write_survives_a_crash(installation: Path) -> None:
    for database in ("crm", "lake"):
        with postgres.connect(database) as connection:
            assert connection.execute("show synchronous_commit").fetchone() == ("on",)
