"""The simulated company: every piece of dirt that was put in is treated as it should be, and the command shows it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from crm_agents import postgres
from crm_agents.crm_schema import crm_tables
from crm_agents.errors import CrmAgentsError
from crm_agents.loading import load
from crm_agents.settings import load_settings


def crm(query: str) -> list[tuple]:
    with postgres.connect() as connection:
        return connection.execute(query).fetchall()


def test_dirt_is_quarantined_and_nothing_else(installation: Path) -> None:
    report = load("simulated", customers=400, seed=3)
    truth = load_settings().truth_dir
    with duckdb.connect() as connection:
        put_in = connection.execute(
            f"select distinct source_file, row from '{truth}/dirt.parquet' where treatment = 'quarantined'"
        ).fetchall()
        kept = connection.execute(
            f"select distinct source_file, row from '{truth}/dirt.parquet' where treatment = 'kept'"
        ).fetchall()
    quarantined = crm("select source_file, (row ->> '_row')::int from crm_ai.quarantine")
    assert set(quarantined) == set(put_in)
    assert len(quarantined) == report.rows_quarantined > 0
    assert not set(quarantined) & set(kept)
    assert len(kept) > 0
    for table in crm_tables():
        assert report.table(table).used == crm(f"select count(*) from crm.{table}")[0][0] > 0
    for file in report.files:
        assert file.used + file.quarantined == file.read


def test_same_seed_changes_nothing_another_does(installation: Path) -> None:
    load("simulated", customers=60, seed=3)
    again = load("simulated", customers=60, seed=3)
    assert {(c.inserted, c.changed, c.removed) for c in again.tables} == {(0, 0, 0)}
    other = load("simulated", customers=60, seed=4)
    assert sum(c.inserted + c.changed + c.removed for c in other.tables) > 0
    assert crm("select count(*) from crm.order_items")[0][0] == other.table("order_items").used


def test_the_command_prints_an_account(installation: Path) -> None:
    from crm_agents.cli import application

    result = CliRunner().invoke(application(), ["load", "simulated", "--customers", "60"])
    assert result.exit_code == 0, result.output
    for words in ("Source file", "orders.parquet", "CRM table", "order_items", "repeats a key", " quarantined, in "):
        assert words in result.output
    assert "@example" not in result.output  # no personal data


def test_the_command_says_what_is_wrong(installation: Path) -> None:
    from crm_agents.cli import application

    result = CliRunner().invoke(application(), ["load", "simulatd"])
    assert isinstance(result.exception, CrmAgentsError)
    assert "No company 'simulatd'" in str(result.exception)


@pytest.mark.parametrize("arguments", [["--data", "first", "second"], ["--data", "first", "--data", "second"]])
def test_data_folders_are_named_either_way(shop, tmp_path: Path, arguments: list[str]) -> None:
    from crm_agents.cli import application

    shop.load()  # writes company.yml
    shop.write("customers.csv", "customer_id,name,since\nc9,Ina,2024-01-09\n", folder=tmp_path / "second")
    shop.data.rename(tmp_path / "first")
    folders = [str(tmp_path / word) if word in ("first", "second") else word for word in arguments]
    result = CliRunner().invoke(application(), ["load", str(shop.folder), *folders])
    assert result.exit_code == 0, result.output
    assert shop.crm("select count(*) from crm.customers") == [(4,)]
