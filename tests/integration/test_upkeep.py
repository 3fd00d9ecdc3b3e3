"""Upkeep merges files and expires snapshots, never one that a model was trained on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from crm_agents import lake, postgres, upkeep
from crm_agents.agents import customer_behaviour as agent
from crm_agents.errors import CrmAgentsError
from crm_agents.replay import replay


def test_upkeep_keeps_rows_and_training_snapshots(installation: Path) -> None:
    with lake.connect() as connection:
        connection.execute("create table raw.t (i bigint)")
        for part in range(5):
            connection.execute(f"insert into raw.t select {part} * 1000 + range from range(1000)")
        trained_on = lake.current_snapshot(connection)
        connection.execute("delete from raw.t where i < 500")
        forgotten = lake.current_snapshot(connection)
        connection.execute("insert into raw.t values (-1)")
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm_ai.models (model, version, method, training_snapshot) values ('m', '1', 'champion', %s)",
            (trained_on,),
        )
    done = upkeep.maintain(at=datetime.now(UTC) + timedelta(days=31))
    assert done.files_after < done.files_before
    assert done.snapshots_kept_for_models == 1
    with lake.connect() as connection:
        assert connection.execute("select count(*) from raw.t").fetchone() == (4501,)
        assert connection.execute(f"select count(*) from raw.t at (version => {trained_on})").fetchone() == (5000,)
        with pytest.raises(duckdb.Error):
            connection.execute(f"select count(*) from raw.t at (version => {forgotten})")


def test_young_snapshots_stay(installation: Path) -> None:
    assert upkeep.maintain().snapshots_expired == 0


def test_what_old_runs_worked_out_is_forgotten(scored: None) -> None:
    with lake.connect() as connection:
        rows = [connection.execute(f"select count(*) from {name}").fetchone()[0] for name in agent.WORKING_TABLES]
    assert sorted(rows)[1] > 100  # nobody was valued: there are no orders
    assert upkeep.maintain().working_rows_forgotten == 0
    assert replay("whole").different == 0  # merged files still hold the snapshot that it reads
    assert upkeep.maintain(at=datetime.now(UTC) + timedelta(days=31)).working_rows_forgotten == sum(rows)
    with pytest.raises(CrmAgentsError, match="no longer has what run whole"):
        replay("whole")
