"""The main job through the real scheduler: load, run, read, run again, change one row, undo, and survive a database's end."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import psutil
import pytest

from crm_agents import postgres, run
from crm_agents.airflow_api import AirflowClient
from crm_agents.errors import CrmAgentsError
from crm_agents.run import Chain, run_chain, run_dag
from crm_agents.settings import PROJECT_ROOT, Settings
from crm_agents.stack import control
from crm_agents.stack.airflow_server import AirflowServer
from crm_agents.undo import undo

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
CLI = str(Path(sys.executable).with_name("crm-agents"))


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def follow(name: str | None = None, as_of: date | None = None) -> Chain:
    with AirflowClient() as client:
        if name:
            return run_dag(client, name, as_of=as_of, tell=lambda *_: None)
        return run_chain(client, as_of=as_of, tell=lambda *_: None)


def test_the_chain_goes_from_ingest_to_the_agent(first_chain: Chain) -> None:
    order = [run.dag_id for run in first_chain.runs]
    assert order[:2] == ["ingest_crm", "build_marts"]
    # (The watcher may have started a chain of its own, with a monitor_models that measured the day already, or with a champion
    # that started the segment agent.)
    assert set(order) - {"monitor_models", "customer_segment_agent", "personalisation_agent"} == {
        "ingest_crm",
        "build_marts",
        "test_marts",
        "train_models",
        "customer_behaviour_agent",
    }


def test_every_buyer_has_a_segment(first_chain: Chain) -> None:
    assert ask(
        "select count(*) from crm_ai.scores s full join crm_ai.customer_segments c on c.customer_id = s.entity_id "
        "where s.model = 'purchase_propensity' and s.status is distinct from c.status"
    ) == [(0,)]
    profiles = ask("select sum(customers), sum(revenue_share) from crm_ai.segment_profiles")
    assert profiles[0][0] == ask("select count(*) from crm_ai.customer_segments where status = 'scored'")[0][0]
    assert math.isclose(profiles[0][1], 1)


def test_every_customer_has_a_score_or_a_reason_why_not(first_chain: Chain) -> None:
    customers = ask("select count(*) from crm.customers")[0][0]
    for model in ("purchase_propensity", "churn", "lifetime_value"):
        scored = dict(ask(f"select status, count(*) from crm_ai.scores where model = '{model}' group by 1"))
        assert sum(scored.values()) == customers
        assert scored["scored"] > customers / 4, model
    assert ask("select count(*) from crm_ai.scores where status = 'not_scored' and status_reason is null") == [(0,)]
    assert ask("select count(*) from crm_ai.scores where unit = 'probability' and value not between 0 and 1") == [(0,)]
    chosen = "select distinct chosen from crm_ai.decisions where agent = 'customer_behaviour_agent' order by 1"
    assert ask(chosen) == [
        ("contact_now",),
        ("leave_alone",),
        ("wait",),
    ]


def test_reasons_add_up_to_the_score(first_chain: Chain) -> None:
    rows = ask(
        "select s.value, sum(r.contribution), count(*) filter (where r.feature not in ('base', 'other')), s.unit "
        "from crm_ai.scores s join crm_ai.score_reasons r using (entity_type, entity_id, model) "
        "group by s.model, s.entity_id, s.value, s.unit"
    )
    assert len(rows) == ask("select count(*) from crm_ai.scores where status = 'scored'")[0][0]
    odds = [(value, total) for value, total, _, unit in rows if unit == "probability"]
    amounts = [(value, total) for value, total, _, unit in rows if unit != "probability"]
    assert max(abs(math.log(value / (1 - value)) - total) for value, total in odds) < 1e-5
    assert max(abs(value - total) / max(value, 1) for value, total in amounts) < 1e-5
    assert all(0 < named <= 10 for _, _, named, _ in rows)


def test_the_champion_beats_its_baseline(first_chain: Chain) -> None:
    champions = ask(
        "select model, version, grade, metrics, baseline_metrics from crm_ai.models where alias = 'champion' order by 1"
    )
    assert [row[0] for row in champions] == ["churn", "lifetime_value", "purchase_propensity", "recommendations"]
    for model, version, grade, metrics, baseline in (champions[0], champions[2]):
        assert grade in ("A", "B")
        assert metrics["brier"] < baseline["brier"]
        assert ask(
            f"select distinct model_version from crm_ai.scores where status = 'scored' and model = '{model}'"
        ) == [(version,)]


def test_products_are_recommended_and_only_what_consent_allows_waits_in_the_outbox(first_chain: Chain) -> None:
    assert "personalisation_agent" in {run.dag_id for run in first_chain.runs}
    customers, products = ask("select count(distinct customer_id), max(rank) from crm_ai.recommendations")[0]
    assert customers > 500
    assert products == 10
    assert ask("select count(*) > 0 from crm_ai.decisions where agent = 'personalisation_agent'") == [(True,)]
    assert ask(
        "select count(*) from crm_ai.outbox o where channel <> 'none' and not exists (select from crm.consents c where "
        "(c.customer_id, c.channel, c.purpose) = (o.recipient_id, o.channel, o.purpose) and c.granted)"
    ) == [(0,)]


def test_gates_and_dbt_tests_left_their_results(first_chain: Chain) -> None:
    stages = dict(ask("select stage, count(*) from crm_ai.quality_results group by 1"))
    assert set(stages) == {"arrival", "marts", "features", "dbt_tests"}
    assert ask("select count(*) from crm_ai.quality_results where severity = 'critical' and not success") == [(0,)]


def test_a_second_run_writes_nothing(first_chain: Chain) -> None:
    before = ask("select count(*) from crm_ai.write_ledger")
    assert follow().is_success
    assert ask("select count(*) from crm_ai.write_ledger") == before
    assert ask("select writes from crm_ai.agent_runs where agent like '%agent' order by started_at desc limit 1") == [
        (0,)
    ]


def test_what_assets_start_elsewhere_is_followed_too(first_chain: Chain, stack: Settings) -> None:
    server = AirflowServer(stack)

    def tell(dag_id: str, text: str) -> None:
        if (dag_id, text) == ("maintain_lake", "done"):  # a champion changes, as if by the watcher's chain
            (champions,) = server.json("GET", "/assets", params={"name_pattern": "champions"})["assets"]
            assert server.answer("POST", "/assets/events", json={"asset_id": champions["id"]}).is_success

    with AirflowClient(stack) as client:
        chain = run._follow(client, "maintain_lake", {}, tell, is_chain=True)
    assert chain.is_success
    assert {"maintain_lake", "customer_segment_agent", "customer_behaviour_agent"} <= {it.dag_id for it in chain.runs}


def test_one_new_order_changes_that_customer_and_undo_takes_it_back(first_chain: Chain) -> None:
    customer, value = ask(
        "select entity_id, value from crm_ai.scores where status = 'scored' and model = 'purchase_propensity' "
        "order by value limit 1 offset 50"
    )[0]
    with postgres.connect() as crm:
        crm.execute(
            "insert into crm.orders (order_id, customer_id, ordered_at, status, currency) "
            "select 'new-order', %s, max(as_of) + time '12:00', 'completed', 'EUR' from crm_ai.scores",
            (customer,),
        )
        crm.execute(
            "insert into crm.order_items (order_id, line_no, product_id, quantity, unit_price, discount) "
            "select 'new-order', 1, min(product_id), 1, 25, 0 from crm.products"
        )
    chain = follow()
    assert chain.is_success
    score = f"from crm_ai.scores where entity_id = '{customer}' and model = 'purchase_propensity'"
    now, run_id = ask(f"select value, run_id {score}")[0]
    assert now != value
    report = undo(run_id)
    assert report.kept_count == 0
    assert ask(f"select value {score}") == [(value,)]
    with pytest.raises(CrmAgentsError, match="undone before"):
        undo(run_id)


def test_two_runs_at_once_the_second_waits_and_says_so(first_chain: Chain, stack: Settings) -> None:
    command = [CLI, "run", "maintain_lake"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=PROJECT_ROOT) for _ in range(2)]
    said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("waits for its turn" in text for text in said) == 1


def test_an_unknown_dag_is_told(first_chain: Chain) -> None:
    told = subprocess.run([CLI, "run", "no_such_dag"], capture_output=True, text=True, check=False, timeout=300)
    assert told.returncode == 1
    assert "no_such_dag" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_database_that_stops_in_the_middle_loses_and_doubles_nothing(first_chain: Chain, stack: Settings) -> None:
    with postgres.connect() as crm:
        crm.execute("update crm.customers set city = 'Elsewhere'")
    scores = ask("select count(*), count(distinct entity_id) from crm_ai.scores")
    with AirflowClient() as client:
        run_id = client.trigger("ingest_crm", {"publish": "always"})
        while client.dag_run("ingest_crm", run_id).state == "queued":
            time.sleep(0.1)
        _kill_postgres(stack)
    control.up(stack)
    chain = follow()
    assert chain.is_success, [(run.dag_id, run.failures) for run in chain.runs]
    assert ask("select count(*), count(distinct entity_id) from crm_ai.scores") == scores
    lake = subprocess.run(
        [
            CLI,
            "query",
            "select count(*), count(distinct customer_id), count(*) filter (city = 'Elsewhere') "
            "from raw.customers where not _deleted",
            "--on",
            "lake",
            "--format",
            "csv",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    customers = ask("select count(*) from crm.customers")[0][0]
    assert lake == f"{customers},{customers},{customers}"


def _kill_postgres(stack: Settings) -> None:
    """End the server and its backends at once, as a power cut would."""
    server = psutil.Process(int((stack.postgres_dir / "postmaster.pid").read_text().splitlines()[0]))
    for process in [server, *server.children()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
