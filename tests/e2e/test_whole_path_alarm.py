"""The closed loop through the real scheduler: the CRM's data change, an alarm is raised, and the models are trained anew."""

from __future__ import annotations

import time

import pytest

from crm_agents import postgres
from crm_agents.airflow_api import AirflowClient
from crm_agents.run import Chain, run_chain

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
PATIENCE_SECONDS = 300


def ask(query: str) -> list[tuple]:
    with postgres.connect() as crm:
        return crm.execute(query).fetchall()


def wait_for_end(client: AirflowClient, dag_id: str, run_id: str) -> dict[str, str]:
    """Wait until a run has ended; return the state of each task."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while client.dag_run(dag_id, run_id).state not in ("success", "failed"):
        tasks = {task["task_id"]: task["state"] for task in client.task_instances(dag_id, run_id)}
        assert time.monotonic() < deadline, str(tasks)
        time.sleep(0.5)
    return {task["task_id"]: task["state"] for task in client.task_instances(dag_id, run_id)}


def test_a_jump_in_prices_raises_an_alarm_that_starts_training(first_chain: Chain) -> None:
    with postgres.connect() as crm:
        crm.execute(
            "update crm.order_items set unit_price = unit_price * 3 where order_id in (select order_id from crm.orders "
            "where ordered_at > (select max(as_of) from crm_ai.scores) - interval '7 days')"
        )
    with AirflowClient() as client:
        assert run_chain(client, tell=lambda *_: None).is_success
        watched = client.trigger("monitor_models", {"force": True})
        assert wait_for_end(client, "monitor_models", watched)["raise_alarms"] == "success"
        assert ("purchase_propensity",) in ask(
            "select distinct unnest(models) from crm_ai.model_alarms where subject = 'order_items' and name = 'unit_price'"
        )
        deadline, started = time.monotonic() + PATIENCE_SECONDS, []
        while not started:
            assert time.monotonic() < deadline
            time.sleep(0.5)
            events = client.asset_events("monitor_models", watched)
            started = [run for event in events for run in event.created_runs]
        (training,) = started
        assert training[0] == "train_models"
        tasks = wait_for_end(client, *training)
    # (What is learnt from lies further back than the jump, so the training may find that it has done all this before.)
    assert (tasks["due"], tasks["train"], tasks["summary"]) == ("success", "success", "success")
