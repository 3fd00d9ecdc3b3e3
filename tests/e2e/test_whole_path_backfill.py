"""An honest backfill through the real scheduler: as-of features, the champion of each day, any order, twice, the same rows."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from crm_agents import postgres, registry
from crm_agents.airflow_api import AirflowClient
from crm_agents.run import Chain
from crm_agents.settings import PROJECT_ROOT, Settings
from crm_agents.stack.environment import stack_environment

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
AGENT, MODEL = "customer_behaviour_agent", "purchase_propensity"
PATIENCE_SECONDS = 900


def ask(query: str, *values: object) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query, values).fetchall()


@pytest.fixture(scope="module")
def today(first_chain: Chain) -> date:
    """The day for which the company was scored last."""
    return ask("select max(as_of) from crm_ai.scores")[0][0]


@pytest.fixture(scope="module")
def days(today: date) -> list[date]:
    """Three past days; one version serves on the first of them, another on the others."""
    found = [today - timedelta(days=back) for back in (12, 11, 10)]
    for day in (found[0] - timedelta(days=3), found[1]):
        train_models(as_of=day.isoformat(), force=True)
    if registry.champion(MODEL, found[0]) == registry.champion(MODEL, found[1]):
        # The gate kept the older one: put the newer one in charge, as a person may.
        newest = next(version for version in registry.versions(MODEL) if version.trained_as_of == found[1])
        with postgres.connect() as crm:
            crm.execute(
                "insert into crm_ai.model_promotions (model, version, as_of, reason) values (%s, %s, %s, 'by hand')",
                (MODEL, newest.version, found[1]),
            )
    wait_until_quiet()
    return found


def train_models(**conf: object) -> dict[str, str]:
    """Run ``train_models`` with these parameters; return the state of each task."""
    with AirflowClient() as client:
        run_id = client.trigger("train_models", conf)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while client.dag_run("train_models", run_id).state not in ("success", "failed"):
            assert time.monotonic() < deadline
            time.sleep(1)
        tasks = client.task_instances("train_models", run_id)
        failed = [client.failure_reason("train_models", run_id, task) for task in tasks if task["state"] == "failed"]
        assert not failed
        return {task["task_id"]: task["state"] for task in tasks}


def wait_until_quiet() -> None:
    """Wait until the runs that new champions have started are over, too."""
    deadline, quiet_since = time.monotonic() + PATIENCE_SECONDS, time.monotonic()
    with AirflowClient() as client:
        while time.monotonic() - quiet_since < 8:
            assert time.monotonic() < deadline
            time.sleep(1)
            if any(run.state in ("queued", "running") for run in client.runs(AGENT)):
                quiet_since = time.monotonic()


def backfill(stack: Settings, days: list[date], *options: str) -> datetime:
    """Let Airflow's own command backfill `days`, wait for the end, and return when the first run started."""
    program = str(Path(sys.executable).with_name("airflow"))
    first, last = f"{min(days)}T00:00:00+00:00", f"{max(days)}T23:59:59+00:00"
    command = [program, "backfill", "create", "--dag-id", AGENT, "--from-date", first, "--to-date", last, *options]
    done = subprocess.run(
        command,
        env=stack_environment(stack),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=PROJECT_ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (
        is_backfilling()
    ):  # Airflow notices the end of one some time after its last run, and takes no other until then
        assert time.monotonic() < deadline
        time.sleep(1)
    with AirflowClient() as client:
        runs = [run for run in client.runs(AGENT) if run.run_type == "backfill"]
        assert len(runs) == len(days)
        failures = {
            run.run_id: [
                client.failure_reason(AGENT, run.run_id, task)
                for task in client.task_instances(AGENT, run.run_id)
                if task["state"] == "failed"
            ]
            for run in runs
            if run.state == "failed"
        }
        assert not failures
        return min(run.started_at for run in runs if run.started_at)


def is_backfilling() -> bool:
    with postgres.connect("airflow") as airflow:
        return airflow.execute("select 1 from backfill where completed_at is null").fetchone() is not None


def history(days: list[date]) -> list[tuple]:
    return ask(
        "select as_of, entity_type, entity_id, model, value, unit, grade, percentile, status, status_reason, method, "
        "model_version, run_id from crm_ai.score_history where as_of = any(%s) order by as_of, entity_id, model",
        days,
    )


def test_backwards_and_twice_gives_the_same_rows(stack: Settings, today: date, days: list[date]) -> None:
    present = ask("select entity_id, model, value, as_of, run_id from crm_ai.scores order by entity_id, model")
    counts = "select (select count(*) from crm_ai.decisions), (select count(*) from crm_ai.write_ledger)"
    before = ask(counts)
    began = backfill(stack, days, "--run-backwards")
    first = history(days)
    assert {row[0] for row in first} == set(days)
    for day in days:
        champion = registry.champion(MODEL, day)
        assert champion is not None
        of_day = [row for row in first if row[0] == day and row[3] == MODEL]
        assert {row[11] for row in of_day if row[8] == "scored"} == {champion.version}
        known = ask("select count(*) from crm.customers where created_at < %s::date + 1", day)[0][0]
        assert 0 < len(of_day) <= ask("select count(*) from crm.customers")[0][0]
        assert len(of_day) >= known  # everybody who was known on that day, scored or not
    assert len({row[11] for row in first if row[8] == "scored" and row[3] == MODEL}) == 2
    assert backfill(stack, days, "--reprocess-behavior", "completed") > began
    assert history(days) == first
    # what stands now is not touched by what would have been said then
    assert ask("select entity_id, model, value, as_of, run_id from crm_ai.scores order by entity_id, model") == present
    assert ask(counts) == before


def test_one_parameter_puts_the_earlier_champion_back(stack: Settings, today: date, days: list[date]) -> None:
    serving, previous = registry.champion(MODEL), next(v for v in registry.versions(MODEL) if v.alias == "previous")
    assert serving is not None
    states = train_models(revert=MODEL, as_of=today.isoformat())
    assert states["revert"] == "success"
    assert states["prepare"] == "skipped"
    now = registry.champion(MODEL)
    assert now is not None
    assert now.version == previous.version
    assert next(v for v in registry.versions(MODEL) if v.alias == "previous").version == serving.version
